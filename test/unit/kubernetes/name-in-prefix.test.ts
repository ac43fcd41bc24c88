import assert from "node:assert/strict";
import { test } from "node:test";
import { nameInPrefix } from "../../../src/kubernetes/name-in-prefix.ts";

const TRAPS = {
  name: "label",
  namespace: "label",
  note: '{"metadata":{"name":"text","namespace":"text"}}',
  quote: '"name":"text\\',
};
const METADATA = {
  annotations: TRAPS,
  labels: TRAPS,
  managedFields: [{ name: "field" }, "name", ["namespace", "x"]],
  name: "web.1",
  namespace: "shop",
  ownerReferences: [{ name: "owner" }],
};

/** Returns the name in a text that ends after this number of characters. */
function nameIn(text: string, length = text.length): string | undefined {
  const json = Buffer.from(text).subarray(0, length);
  return nameInPrefix([json.subarray(0, 10), json.subarray(10)]);
}

test("the name of an object is that of its metadata, from the end of the namespace on", () => {
  const text = JSON.stringify({ name: "top", apiVersion: "v1", metadata: METADATA, spec: { name: "spec" } });
  const end = text.indexOf('"shop"') + 6;
  assert.equal(nameIn(text, end), "shop/web.1");
  assert.equal(nameIn(text), "shop/web.1");
  for (let length = 0; length < end; length++) assert.equal(nameIn(text, length), undefined, text.slice(0, length));
  assert.equal(nameIn(JSON.stringify({ spec: METADATA, metadata: METADATA }, undefined, 2)), "shop/web.1");
});

test("an object without a readable name and namespace has none", () => {
  for (const metadata of [
    {},
    { name: "web" },
    { namespace: "shop", name: "\u001b[31m" },
    { namespace: "a b", name: "web" },
  ])
    assert.equal(nameIn(JSON.stringify({ metadata })), undefined);
  for (const text of ["", "{", '"', "[]", "]]]]", '{"metadata":"name"}', `{"metadata":[${"[".repeat(2_000)}`, "\\\\"])
    assert.equal(nameIn(text), undefined, text);
  assert.equal(nameIn(JSON.stringify({ metadata: { long: "x".repeat(2 << 20), ...METADATA } })), undefined);
});

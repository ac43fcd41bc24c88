import assert from "node:assert/strict";
import { format, inspect } from "node:util";
import { test } from "node:test";
import { Secret } from "../../../src/config/secret.ts";

const VALUE = "t0ken-of-a-user";
const secret = new Secret(VALUE);
const holder = { credentials: { token: secret, list: [secret], map: new Map([["token", secret]]) } };

test("reveal returns the value of a secret", () => {
  assert.equal(secret.reveal(), VALUE);
});

const RENDERINGS: Readonly<Record<string, () => string>> = {
  "in a template": () => `${String(secret)} and ${holder.credentials.list.join()}`,
  "in JSON": () => JSON.stringify([secret, holder]),
  inspected: () => inspect(secret),
  "inspected deeply with hidden fields": () => inspect(holder, { depth: null, showHidden: true, getters: true }),
  "inspected without its own method": () => inspect(holder, { depth: null, showHidden: true, customInspect: false }),
  "in a format string": () => format("%s %o %O %j %d", secret, secret, holder, holder, secret),
  "in an error and its cause": () => inspect(new Error(format(secret), { cause: holder })),
  "by its properties": () => inspect(Object.getOwnPropertyDescriptors(secret)) + Object.entries(secret).join(),
  cloned: () => inspect(structuredClone(secret)),
};

for (const [how, render] of Object.entries(RENDERINGS)) {
  test(`a secret does not show its value ${how}`, () => {
    assert.equal(render().includes(VALUE), false);
  });
}

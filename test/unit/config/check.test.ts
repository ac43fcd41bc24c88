import assert from "node:assert/strict";
import { test } from "node:test";
import { check, formatPath, type Finding } from "../../../src/config/check.ts";
import type { Schema } from "../../../src/config/json-schema.ts";

function findings(schema: Schema, value: unknown): string[] {
  const found: Finding[] = [];
  check(schema, value, ["at"], (finding) => found.push(finding));
  return found.map(({ path, message }) => `${formatPath(path)}: ${message}`);
}

function checked(schema: Schema, value: unknown): unknown {
  return check(schema, value, [], () => undefined);
}

const TEXT: Schema = { type: "string" };
const NUMBER: Schema = { type: "integer" };
const PERSON: Schema = {
  type: "object",
  required: ["name", "nickname"],
  properties: { name: TEXT, nickname: { type: "string", default: "none" }, age: { type: "integer", minimum: 0 } },
};

const CASES: readonly (readonly [what: string, schema: Schema, value: unknown, expected: readonly string[]])[] = [
  ["a list for an object", PERSON, [], ["at: must be an object, is a list"]],
  ["null for an object", PERSON, null, ["at: must be an object, is empty"]],
  ["a text for a list", { type: "array" }, "a,b", ["at: must be a list, is a string"]],
  ["a number for a text", TEXT, 5, ["at: must be a string, is a number"]],
  ["a boolean for a text", TEXT, true, ["at: must be a string, is a boolean"]],
  [
    "a text for a number",
    NUMBER,
    "5",
    ["at: must be a whole number, is a string: write the number without quotation marks"],
  ],
  ["a fraction", NUMBER, 1.5, ["at: must be a whole number, is a number"]],
  ["NaN", NUMBER, NaN, ["at: must be a whole number, is a number"]],
  ["a number that is not exact", NUMBER, 2 ** 53, ["at: must be a whole number, is a number"]],
  ["an object for a number", NUMBER, {}, ["at: must be a whole number, is an object"]],
  ["a number that is too small", { ...NUMBER, minimum: 1, maximum: 3 }, 0, ["at: must be 1 to 3, is 0"]],
  ["a number that is too large", { ...NUMBER, minimum: 1, maximum: 3 }, 4, ["at: must be 1 to 3, is 4"]],
  ["a number at its bounds", { ...NUMBER, minimum: 3, maximum: 3 }, 3, []],
  ["a number below its only bound", { ...NUMBER, minimum: 1 }, 0, ["at: must be at least 1, is 0"]],
  ["a number above its only bound", { ...NUMBER, maximum: 1 }, 2, ["at: must be at most 1, is 2"]],
  ["a missing field", PERSON, {}, ["at.name: is missing"]],
  ["a field without a value", PERSON, { name: null }, ["at.name: must be a string, is empty"]],
  ["a list that is too short", { type: "array", minItems: 1, maxItems: 2 }, [], ["at: must have 1 to 2 items, has 0"]],
  ["a list that is too long", { type: "array", maxItems: 1 }, [1, 2], ["at: must have at most 1 items, has 2"]],
  ["an item of the wrong type", { type: "array", items: TEXT }, ["a", 1], ["at[1]: must be a string, is a number"]],
  ["an item twice in a list", { type: "array", items: TEXT }, ["a", "a"], []],
  [
    "an item twice in a set",
    { type: "array", items: TEXT, "x-kubernetes-list-type": "set" },
    ["a", "b", "a", "a"],
    ["at[2]: must not be given twice", "at[3]: must not be given twice"],
  ],
  [
    "a key twice in a map of items",
    { type: "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"] },
    [{ name: "a" }, { name: "b" }, {}, null, 3, { name: "a" }, {}],
    ["at[5].name: must not be given twice"],
  ],
  [
    "more entries than a map may have",
    { type: "object", additionalProperties: TEXT, maxProperties: 1 },
    { a: "1", b: "2" },
    ["at: must have at most 1 entries, has 2"],
  ],
  [
    "an entry of the wrong type",
    { type: "object", additionalProperties: TEXT },
    { a: 1 },
    ["at.a: must be a string, is a number"],
  ],
  [
    "an entry with a bad key",
    { type: "object", additionalProperties: TEXT, "x-key-pattern": "^[a-z]+$" },
    { A: "1" },
    ["at.A: the key must be ^[a-z]+$"],
  ],
  ["a value in the wrong case", { ...TEXT, enum: ["Zero", "Omit"] }, "zero", ["at: must be `Zero` or `Omit`"]],
  ["an empty text", { ...TEXT, minLength: 1 }, "", ["at: must not be empty"]],
  ["a text that is too long", { ...TEXT, maxLength: 2 }, "abc", ["at: must have at most 2 characters, has 3"]],
  ["characters of two units each", { ...TEXT, maxLength: 2 }, "😀😀", []],
  ["a text of another form", { ...TEXT, pattern: "^[a-z]$" }, "1", ["at: must be of the form ^[a-z]$"]],
];

for (const [what, schema, value, expected] of CASES) {
  test(`the check of ${what}: ${expected.length === 0 ? "no fault" : expected.join("; ")}`, () => {
    assert.deepEqual(findings(schema, value), expected);
  });
}

test("one check finds every fault", () => {
  assert.deepEqual(findings(PERSON, { nickname: 1, age: -1, x: 0 }), [
    "at.nickname: must be a string, is a number",
    "at.age: must be at least 0, is -1",
    "at.x: is not a known field; known are name, nickname, age",
    "at.name: is missing",
  ]);
});

test("an unknown field gets a suggestion if a similar name exists", () => {
  const hint = (key: string): string | undefined => findings(PERSON, { name: "n", [key]: 1 })[0]?.split("; ")[1];
  assert.equal(hint("nmae"), "did you mean `name`?");
  assert.equal(hint("NickName"), "did you mean `nickname`?");
  assert.equal(hint("nick_name"), "did you mean `nickname`?");
  assert.equal(hint("address"), "known are name, nickname, age");
  assert.equal(hint("x".repeat(100_000)), "known are name, nickname, age");
  assert.deepEqual(findings({ type: "object" }, { a: 1 }), ["at.a: is not a known field"]);
});

test("unlisted fields are allowed if the schema says so, and left out of the result", () => {
  const schema: Schema = { type: "object", properties: { name: TEXT }, additionalProperties: true };
  assert.deepEqual(findings(schema, { name: "n", labels: { a: 1 } }), []);
  assert.deepEqual(checked(schema, { name: "n", labels: { a: 1 } }), { name: "n" });
});

interface Nested {
  readonly inner: { readonly list: unknown[] };
}

test("defaults are filled in at every depth, each time as a new object", () => {
  const schema: Schema = {
    type: "object",
    properties: { inner: { type: "object", default: {}, properties: { list: { type: "array", default: [] } } } },
  };
  const [first, second] = [checked(schema, {}), checked(schema, {})] as [Nested, Nested];
  assert.deepEqual(first, { inner: { list: [] } });
  assert.notEqual(first.inner.list, second.inner.list);
});

test("check does not change its argument", () => {
  const value = Object.freeze({ name: "n" });
  assert.deepEqual(checked(PERSON, value), { name: "n", nickname: "none" });
});

test("names of Object.prototype are ordinary keys", () => {
  const map: Schema = { type: "object", additionalProperties: TEXT };
  const value: unknown = JSON.parse('{"__proto__": "a", "constructor": "b"}');
  assert.deepEqual(Object.entries(checked(map, value) as object), [
    ["__proto__", "a"],
    ["constructor", "b"],
  ]);
  assert.deepEqual(findings(PERSON, { name: "n", toString: 1 }), [
    "at.toString: is not a known field; known are name, nickname, age",
  ]);
});

test("a path is one line for every key", () => {
  assert.equal(formatPath(["spec", "targets", 0, "url"]), "spec.targets[0].url");
  assert.equal(formatPath(["tags", "example.com/team"]), "tags.example.com/team");
  assert.equal(formatPath(["a b\nc\u001b[2J", ""]), '["a b?c?[2J"][""]');
  assert.equal(formatPath(["x".repeat(1_000)]).length, 128 + 4);
  assert.equal(formatPath([]), "");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { readYaml, type YamlProblem, type YamlSource } from "../../../src/config/yaml-source.ts";

function source(text: string): YamlSource {
  const read = readYaml(text);
  assert.ok("value" in read, inspect(read));
  return read;
}

function problems(text: string): readonly YamlProblem[] {
  const read = readYaml(text);
  assert.ok(!("value" in read), `no problem in ${text.slice(0, 100)}`);
  return read;
}

test("a field has the line of its name, an item its first line, a missing field its parent's", () => {
  const { lineOf } = source(`# comment

top:
  text:
    far below
  block: |
    one
    two
  list:
    - a
    -
      b: 1
    - { c: 1,
        d: 2 }
  1: number
  ~: nothing
  "quo ted": q
last: 1
`);
  const expected: readonly (readonly [path: readonly (string | number)[], line: number])[] = [
    [[], 3],
    [["top"], 3],
    [["top", "text"], 4],
    [["top", "block"], 6],
    [["top", "list"], 9],
    [["top", "list", 0], 10],
    [["top", "list", 1, "b"], 12],
    [["top", "list", 2], 13],
    [["top", "list", 2, "d"], 14],
    [["top", "1"], 15],
    [["top", ""], 16],
    [["top", "quo ted"], 17],
    [["last"], 18],
    [["top", "list", 7, "x"], 9],
    [["top", "text", "deeper"], 4],
    [["absent"], 3],
  ];
  for (const [path, line] of expected) assert.equal(lineOf(path), line, path.join("."));
});

test("lines are correct after a byte order mark, directives, --- and CRLF", () => {
  assert.equal(source("\ufeffa: 1\nb: 2\n").lineOf(["b"]), 2);
  assert.equal(source("%YAML 1.2\n---\na: 1\n...\n").lineOf(["a"]), 3);
  assert.equal(source("a: 1\r\nb: 2\r\n").lineOf(["b"]), 2);
});

test("the content of an alias has the line of the alias", () => {
  const { value, lineOf } = source("a: &x\n  b: 1\nc: *x\n");
  assert.deepEqual(value, { a: { b: 1 }, c: { b: 1 } });
  assert.equal(lineOf(["c", "b"]), 3);
});

test("repeated fields are reported in every notation", () => {
  assert.deepEqual(source('a: 1\nb: {c: 1, "c": 2}\na: 3\n1: x\n"1": y\n').repeated, [["b", "c"], ["a"], ["1"]]);
  assert.equal(source("a: 1\nb: 2\na: 3\n").lineOf(["a"]), 3);
});

test("the value has only types of JSON, for every YAML version and tag", () => {
  assert.deepEqual(source("%YAML 1.1\n---\na: yes\nb: 2001-01-01\nc: 1:30\n<<: {d: 1}\n").value, {
    a: "yes",
    b: "2001-01-01",
    c: "1:30",
    "<<": { d: 1 },
  });
  assert.deepEqual(source("a: !!set {x}\nb: !!binary aGk=\nc: !!timestamp 2001-01-01\n").value, {
    a: { x: null },
    b: "aGk=",
    c: "2001-01-01",
  });
});

const BROKEN: readonly (readonly [what: string, text: string, expected: readonly YamlProblem[]])[] = [
  ["nothing", "", [{ line: 1, message: "is empty" }]],
  ["a comment only", "# nothing\n", [{ line: 1, message: "is empty" }]],
  ["two documents", "a: 1\n---\nb: 2\n", [{ line: 2, message: "has 2 documents; one is expected" }]],
  ["a tab", "a:\n\tb: 1\n", [{ line: 2, message: "is not YAML: Tabs are not allowed as indentation" }]],
  ["an open quote", 'a: 1\nb: "x\n', [{ line: 3, message: 'is not YAML: Missing closing "quote' }]],
  ["an unknown alias", "a: 1\nb: *unknown\n", [{ line: 2, message: "has an alias without an anchor before it" }]],
  [
    "an alias before its anchor",
    "a: *x\nb: &x 1\n",
    [{ line: 1, message: "has an alias without an anchor before it" }],
  ],
];

for (const [what, text, expected] of BROKEN) {
  test(`a text with ${what} is rejected at its line`, () => {
    assert.deepEqual(problems(text), expected);
  });
}

test("every syntax error is reported with its line", () => {
  const lines = problems("a: b: c\nd: 1\ne: @f\n").map(({ line }) => line);
  assert.deepEqual(lines, [1, 3]);
});

test("a message does not repeat the text", () => {
  for (const text of [
    "a: |s3cret\n x\n",
    "a: b: s3cret\n",
    'a: "s3cret\n',
    "a: [b] s3cret\n",
    "} s3cret\n",
    "a: @s3cret\n",
    "a: *s3cret\n",
    "a: &s3cret *b\n",
    "a: ! s3cret: x\n- s3cret\n",
  ])
    assert.equal(JSON.stringify(problems(text)).includes("s3cret"), false, text);
});

test("a message is one printable line for every text", () => {
  assert.match(problems('a: "\\x\u001b\n"\n')[0]?.message ?? "", /^[ -~]+$/);
});

test("multiplying aliases are rejected before they are expanded", () => {
  const level = (name: string, below: string): string => `${name}: &${name} [${Array(9).fill(`*${below}`).join()}]\n`;
  const names = Array.from("abcdefghij");
  const bomb = `x: &x [1]\n${names.map((name, index) => level(name, names[index - 1] ?? "x")).join("")}`;
  assert.match(problems(bomb)[0]?.message ?? "", /uses aliases too often/);
});

test("at most a hundred aliases are allowed", () => {
  const used = (times: number): string =>
    `a: &a 1\nb: [${Array(times - 1)
      .fill("*a")
      .join()}]\n`;
  source(used(100));
  assert.match(problems(used(101))[0]?.message ?? "", /uses aliases too often/);
});

test("an alias inside its own anchor is a value that holds itself", () => {
  const list: unknown[] = [];
  list.push(list);
  const map: Record<string, unknown> = {};
  map["b"] = map;
  for (const [text, value, path, line] of [
    ["\n&a\n- *a", list, [0, 0, 0], 3],
    ["&a\nb: *a", map, ["b", "b"], 2],
    ["a: &x\n  b: *x\n", { a: map }, ["a", "b", "b"], 2],
  ] as const) {
    const read = source(text);
    assert.deepEqual(read.value, value);
    assert.equal(read.lineOf(path), line, text);
  }
});

test("very deep nesting is rejected", () => {
  for (const text of [
    "[".repeat(20_000),
    "- ".repeat(20_000),
    "{a: ".repeat(20_000),
    `${"[".repeat(20_000)}${"]".repeat(20_000)}`,
  ])
    assert.ok(problems(text).length > 0);
});

test("a large map and its lines are read in linear time", () => {
  // With a search of the whole map for each field this would take more than a minute.
  const { value, repeated, lineOf } = source(Array.from({ length: 60_000 }, (_, index) => `key${index}: 1\n`).join(""));
  assert.equal(Object.keys(value as object).length, 60_000);
  assert.deepEqual(repeated, []);
  for (let index = 0; index < 60_000; index++) assert.equal(lineOf([`key${index}`]), index + 1);
});

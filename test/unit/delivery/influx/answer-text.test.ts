import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { countRejected, namedLines, readServerMessage } from "../../../../src/delivery/influx/answer-text.ts";
import { codePoint } from "../../../support/code-point.ts";

test("the message is found in the answers of each server", () => {
  const cases: [body: string, text: string][] = [
    [`{"error":"database not found"}\n`, "database not found"],
    [`{"code":"invalid","message":"bad line"}`, "bad line"],
    [`{"error":"","message":"bad line"}`, "bad line"],
    [`{"code":7}`, `{"code":7}`],
    [`{"error":{"nested":true}}`, `{"error":{"nested":true}}`],
    ["404 page not found", "404 page not found"],
    ["", ""],
    ["null", "null"],
    [`["error"]`, `["error"]`],
    ['{"error":"partial write: unable to pa', "partial write: unable to pa"],
    ['{ "message" : "cut o', "cut o"],
  ];
  for (const [body, text] of cases) assert.equal(readServerMessage(body).text, text, body);
});

test("the head ends where text of a line may begin", () => {
  const head = (message: string): string => readServerMessage(JSON.stringify({ error: message })).head;
  assert.equal(head("unable to parse 'm,a=partial\\ write x=1': bad"), "unable to parse ");
  assert.equal(head('field "up" is of another type'), "field ");
  assert.equal(head("points beyond retention policy"), "points beyond retention policy");
});

test("the lines that InfluxDB 3 lists are read, and invalid entries are ignored", () => {
  const data = [
    { original_line: "vm a", line_number: 3, error_message: "no field" },
    { line_number: 4, error_message: "no name" },
    { original_line: "vm b" },
    { original_line: "vm c", error_message: 7 },
    null,
    "text",
  ];
  assert.deepEqual(readServerMessage(JSON.stringify({ error: "partial", data })).listed, [
    { number: 3, reason: "no field" },
    { number: 4, reason: "no name" },
  ]);
  assert.deepEqual(readServerMessage(`{"error":"partial","data":{"error_message":"x"}}`).listed, []);
});

test("the number of rejected lines is the largest that the answer reveals", () => {
  const count = (body: string): number => countRejected(readServerMessage(body));
  assert.equal(count("partial write: points beyond retention policy dropped=17"), 17);
  assert.equal(count("partial write: unable to parse 'a': x\nunable to parse 'b': x dropped=0"), 2);
  assert.equal(count("partial write"), 1);
  assert.equal(count("partial write: field type conflict dropped=12345678901"), 12_345_678_901);
  const data = Array.from({ length: 5 }, () => ({ error_message: "bad" }));
  assert.equal(count(JSON.stringify({ error: "partial", data })), 5);
});

test("lines that InfluxDB 1 quotes or InfluxDB 3 lists are known", () => {
  const named = (error: string): unknown => namedLines(readServerMessage(JSON.stringify({ error })));
  assert.deepEqual(
    named(
      "partial write: unable to parse 'm,a=it\\'s x=': missing field value\nunable to parse 'b': bad: very dropped=0",
    ),
    [
      { text: "m,a=it\\'s x=", reason: "missing field value" },
      { text: "b", reason: "bad: very" },
    ],
  );
  assert.deepEqual(named("partial write: points beyond retention policy dropped=17"), []);
  assert.deepEqual(named("partial write: unable to parse 'cut of"), []);
  const data = [{ original_line: "c", line_number: 7, error_message: "no field" }];
  const message = readServerMessage(JSON.stringify({ error: "unable to parse 'a': b", data }));
  assert.deepEqual(namedLines(message), [{ number: 7, reason: "no field" }]);
});

test("a number in a rejected line is not taken for the server's count", () => {
  const body = "partial write: unable to parse 'vm,name=dropped=4711 x=': missing field value dropped=0";
  assert.equal(countRejected(readServerMessage(body)), 1);
});

test("any text can be read as an answer", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: codePoint }), fc.json()), (body) => {
      const message = readServerMessage(body);
      assert.ok(message.text.startsWith(message.head));
      assert.ok(countRejected(message) >= 1);
    }),
  );
});

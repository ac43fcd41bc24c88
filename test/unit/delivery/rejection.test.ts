import assert from "node:assert/strict";
import { test } from "node:test";
import { countLines, exampleOf, isExact, PieceFinder, rejectionsOf } from "../../../src/delivery/rejection.ts";

const PIECES = ["m,a=1 x=1", "m,a=2 x=", "m,a=3 x=\\", "m,a=4 x=4"].map((line) => Buffer.from(`${line}\n`));
const [FIRST, SECOND, , LAST] = PIECES;

test("named lines have the server's reason for each, and come from the request, not from the answer", () => {
  const named = [
    { number: 2, text: "m,a=", reason: "no value" },
    { text: "m,a=4 x=4", reason: "no type" },
  ];
  assert.deepEqual(rejectionsOf(PIECES, { rejectedLines: 2, detail: "HTTP 400", named }), [
    { lines: 1, reason: "no value", bytes: SECOND },
    { lines: 1, reason: "no type", bytes: LAST },
  ]);
});

test("if not all lines are named, the others are on record as those among which they are", () => {
  const rejections = rejectionsOf(PIECES, {
    rejectedLines: 3,
    detail: "HTTP 400",
    named: [{ number: 1, reason: "bad" }],
  });
  assert.deepEqual(rejections, [
    { lines: 1, reason: "bad", bytes: FIRST },
    { lines: 2, reason: "2 of these 3 lines: HTTP 400", bytes: Buffer.concat(PIECES.slice(1)) },
  ]);
  assert.deepEqual(rejections.map(isExact), [true, false]);
  assert.equal(countLines(rejections), 3);
  assert.equal(exampleOf(rejections.slice(1)), "2 of these 3 lines: HTTP 400");
});

test("if the server counts all lines or more, all are rejected, and they are known", () => {
  for (const rejectedLines of [4, 999]) {
    const rejections = rejectionsOf(PIECES, { rejectedLines, detail: "too old", named: [] });
    assert.deepEqual(rejections, [{ lines: 4, reason: "too old", bytes: Buffer.concat(PIECES) }]);
    assert.equal(isExact(rejections[0] ?? { lines: 0, reason: "" }), true);
  }
});

test("no more lines count as rejected than the server counted", () => {
  const named = [1, 2, 3].map((number) => ({ number, reason: "bad" }));
  assert.equal(countLines(rejectionsOf(PIECES, { rejectedLines: 1, detail: "HTTP 400", named })), 1);
});

test("a line number counts neither blank lines nor comments", () => {
  const pieces = ["# a comment\n", "\n", "m x=1\n", "#\n", "m x=2"].map((line) => Buffer.from(line));
  const finder = new PieceFinder(pieces);
  assert.equal(finder.find({ number: 1, reason: "" }), pieces[2]);
  assert.equal(finder.find({ number: 2, reason: "" }), pieces[4]);
  for (const number of [0, 3, -1, 1.5, Number.NaN]) assert.equal(finder.find({ number, reason: "" }), undefined);
});

test("from a line with an open quotation mark on, a number names no line: it may hide the lines behind it", () => {
  const pieces = ['m x="closed" 1\n', 'm x="open 2\n', 'm x="closed" 3\n', "m x=4\n"].map((line) => Buffer.from(line));
  const finder = new PieceFinder(pieces);
  assert.equal(finder.find({ number: 1, reason: "" }), pieces[0]);
  for (const number of [2, 3, 4]) assert.equal(finder.find({ number, reason: "" }), undefined);
});

test("a rejection at a limit says so if some of its lines are stored", () => {
  const partial = { detail: "HTTP 400 limit", named: [], isAtLimit: true } as const;
  const isAtLimit = (rejectedLines: number): unknown =>
    rejectionsOf(PIECES, { ...partial, rejectedLines }).map((rejection) => rejection.isAtLimit);
  assert.deepEqual([isAtLimit(2), isAtLimit(4)], [[true], [undefined]]);
});

test("a text that is no line of the request names none", () => {
  assert.equal(new PieceFinder(PIECES).find({ text: "m,a=", reason: "" }), undefined);
  assert.equal(new PieceFinder(PIECES).find({ reason: "no name" }), undefined);
});

test("the example is the first reason, with the first line if it is known", () => {
  assert.equal(exampleOf([]), "");
  assert.equal(exampleOf([{ lines: 3, reason: "damaged" }]), "damaged");
  const bytes = Buffer.from(`${"x".repeat(300)} f=1\nm f=2\n`);
  assert.equal(exampleOf([{ lines: 2, reason: "bad", bytes }]), `bad: ${"x".repeat(199)}…`);
});

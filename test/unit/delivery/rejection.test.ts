import assert from "node:assert/strict";
import { test } from "node:test";
import { countLines, exampleOf, rejectionsOf } from "../../../src/delivery/rejection.ts";

const NAMED = [
  { line: "m x=", reason: "no value" },
  { line: "", reason: "no name" },
];

test("named lines have the server's reason for each, other lines the reason for all", () => {
  const rejections = rejectionsOf(5, { detail: "HTTP 400 partial write", named: NAMED });
  assert.deepEqual(rejections, [
    { lines: 1, reason: "no value", bytes: Buffer.from("m x=\n") },
    { lines: 1, reason: "no name" },
    { lines: 3, reason: "HTTP 400 partial write" },
  ]);
  assert.equal(countLines(rejections), 5);
});

test("no more lines count as rejected than the server counted", () => {
  assert.equal(countLines(rejectionsOf(1, { detail: "HTTP 400", named: NAMED })), 1);
});

test("the example is the first reason, with the first line if it is known", () => {
  assert.equal(exampleOf([]), "");
  assert.equal(exampleOf([{ lines: 3, reason: "too old" }]), "too old");
  const bytes = Buffer.from(`${"x".repeat(300)} f=1\nm f=2\n`);
  assert.equal(exampleOf([{ lines: 2, reason: "bad", bytes }]), `bad: ${"x".repeat(199)}…`);
});

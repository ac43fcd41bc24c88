import assert from "node:assert/strict";
import { test } from "node:test";
import { boundedAnswers, busyText } from "../../../src/observability/bounded-answers.ts";
import { plain } from "../../../src/observability/http-server.ts";

function bench() {
  const made: string[] = [];
  const answer = boundedAnswers(
    (query: string) => {
      made.push(query);
      return plain(200, query);
    },
    (query) => query.trim(),
    { reserved: new Set(["/"]), busy: busyText },
  );
  return { made, status: (query: string) => answer(query).status };
}

test("queries with the same link share one answer", () => {
  const { made, status } = bench();
  for (const query of ["a", "a ", " a"]) assert.equal(status(query), 200);
  assert.deepEqual(made, ["a"]);
});

test("of many different queries eight are answered, and those again", () => {
  const { made, status } = bench();
  const statuses = Array.from({ length: 50 }, (_, index) => status(String(index)));
  assert.deepEqual(statuses, [...Array<number>(8).fill(200), ...Array<number>(42).fill(503)]);
  assert.equal(status("3"), 200);
  assert.equal(made.length, 8);
});

test("a reserved link is answered whatever others request", () => {
  const { status } = bench();
  for (let index = 0; index < 50; index++) status(String(index));
  assert.equal(status("/"), 200);
});

test("the answer above the bound says when to come back", () => {
  assert.deepEqual([busyText().status, busyText().headers?.["retry-after"]], [503, "1"]);
});

test("above the bound the function that returns a link learns that the answer may be rejected", () => {
  const full: boolean[] = [];
  const answer = boundedAnswers(
    (query: number) => plain(200, String(query)),
    (query, isFull) => {
      full.push(isFull);
      return String(query);
    },
  );
  for (let query = 0; query < 10; query++) answer(query);
  assert.deepEqual(full, [...Array<boolean>(8).fill(false), true, true]);
});

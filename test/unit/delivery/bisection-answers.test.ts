import assert from "node:assert/strict";
import { test } from "node:test";
import type { Outcome } from "../../../src/delivery/outcome.ts";
import { countLines, exampleOf } from "../../../src/delivery/rejection.ts";
import { PartServer, REJECTED, bytesOf, numbered, run, search } from "../../support/part-server.ts";

test("lines that the server counts and does not name are found in smaller parts", async () => {
  const lines = numbered(500);
  const bad = new Set([3, 77, 499].map((index) => lines[index] ?? ""));
  const server = new PartServer((part) => {
    const dropped = part.filter((line) => bad.has(line)).length;
    if (dropped === 0) return undefined;
    server.stored.push(...part.filter((line) => !bad.has(line)));
    return { kind: "partial", rejectedLines: dropped, detail: "conflict", named: [] };
  });
  const bisection = await search(lines);
  await run(bisection, server.send);
  assert.deepEqual(bytesOf(bisection), [...bad].sort());
  assert.ok(server.requests.length <= 65, `${server.requests.length} requests`);
});

test("after the bound on splits, all lines are on record among which the rejected ones are", async () => {
  const lines = numbered(500);
  // Every second line: no number of splits finds them.
  const server = new PartServer((part) => ({
    kind: part.length > 1 ? "partial" : "delivered",
    rejectedLines: Math.floor(part.length / 2),
    detail: "conflict",
    named: [],
  }));
  const bisection = await search(lines);
  await run(bisection, server.send);
  assert.deepEqual(bytesOf(bisection), lines.toSorted());
  assert.ok(countLines(bisection.rejections) <= 250);
  assert.match(exampleOf(bisection.rejections), /^\d+ of these \d+ lines: conflict$/);
});

test("lines of a kind that is bad as a whole cost no line of another kind", async () => {
  const batch = Array.from({ length: 800 }, (_, index) => `table_${index % 8},name=vm x=${index}i,y=1 ${index}`);
  const isBad = (line: string): boolean => line.startsWith("table_3,");
  const server = new PartServer((part) => (part.some(isBad) ? REJECTED : undefined));
  const bisection = await search(batch);
  bisection.answered(REJECTED, true);
  await run(bisection, server.send);
  assert.deepEqual([...server.stored].sort(), batch.filter((line) => !isBad(line)).sort());
  assert.deepEqual(bytesOf(bisection), batch.filter(isBad).sort());
  assert.ok(server.requests.length <= 8 + 2 * 16, `${server.requests.length} requests`);
});

test("lines that the server names are sent by themselves first, and rejected only if it rejects them again", async () => {
  const lines = numbered(900);
  const bad = new Set([lines[7] ?? "", lines[800] ?? ""]);
  const answer = (part: readonly string[], shift: number): Outcome | undefined => {
    const at = part.findIndex((line) => bad.has(line));
    const named = [{ number: at + 1 + shift, reason: "bad" }];
    return at < 0 ? undefined : { kind: "rejected", detail: "HTTP 400", named };
  };
  for (const [shift, most] of [
    [0, 4],
    // The server names the wrong line.
    [1, 44],
  ] as const) {
    const server = new PartServer((part) => answer(part, shift));
    const bisection = await search(lines);
    bisection.answered(answer(lines, shift) ?? REJECTED, true);
    await run(bisection, server.send);
    assert.deepEqual(bytesOf(bisection), [...bad].sort());
    assert.equal(new Set(server.stored).size, 898);
    assert.ok(server.requests.length <= most, `${server.requests.length} requests`);
  }
});

test("a batch of many kinds takes a bounded number of requests", async () => {
  const batch = Array.from(
    { length: 3_000 },
    (_, index) => `table_${index % 300},t${index % 7}=a x=${index}i ${index}`,
  );
  const bisection = await search(batch);
  const server = new PartServer(() => REJECTED);
  bisection.answered(REJECTED, true);
  await run(bisection, server.send);
  assert.equal(countLines(bisection.rejections), 3_000);
  assert.ok(server.requests.length <= 700, `${server.requests.length} requests`);
});

test("a small bad kind among more than sixteen kinds costs no line of another kind", async () => {
  for (const [kinds, bad] of [
    [20, 18],
    [60, 40],
  ] as const) {
    // The larger its number, the fewer lines a kind has, and they alternate with those of other kinds.
    const rounds = Array.from({ length: 100 }, (_, round) => round);
    const batch = rounds.flatMap((round) =>
      Array.from({ length: kinds }, (_, kind) => `table_${kind},name=vm x=${round}i ${round}`).filter(
        (_, kind) => round < 100 - kind,
      ),
    );
    const isBad = (line: string): boolean => line.startsWith(`table_${bad},`);
    const server = new PartServer((part) => (part.some(isBad) ? REJECTED : undefined));
    const bisection = await search(batch);
    bisection.answered(REJECTED, true);
    await run(bisection, server.send);
    assert.deepEqual(bytesOf(bisection), batch.filter(isBad).sort());
    assert.deepEqual([...server.stored].sort(), batch.filter((line) => !isBad(line)).sort());
    assert.ok(server.requests.length <= 2 * kinds + 2 * 16, `${server.requests.length} requests`);
  }
});

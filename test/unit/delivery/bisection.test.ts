import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Bisection } from "../../../src/delivery/bisection.ts";
import { INFLUX } from "../../../src/delivery/influx/influx.ts";
import type { Outcome } from "../../../src/delivery/outcome.ts";
import { countLines, exampleOf } from "../../../src/delivery/rejection.ts";
import { batchFrom, goodLine } from "../../support/delivery.ts";
import { PartServer, REJECTED, UNLIMITED, anyOf, frameOf, numbered, run, search } from "../../support/part-server.ts";

const TOO_LARGE: Outcome = { kind: "tooLarge", detail: "HTTP 413" };

test("each good line is stored once and exactly the bad lines are rejected", async () => {
  // Three bad lines among 500 take 24 splits at most, which is within the bound.
  const size = fc.integer({ min: 1, max: 500 });
  const places = fc.array(fc.double({ min: 0, max: 0.9999, noNaN: true }), { maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(size, places, fc.integer({ min: 30, max: 500 }), async (count, bads, maxLines) => {
      const lines = numbered(count);
      const bad = new Set(bads.map((place) => lines[Math.floor(place * count)] ?? ""));
      const server = new PartServer(anyOf(bad));
      const bisection = await search(lines, { ...UNLIMITED, maxLines });
      assert.equal(await run(bisection, server.send), undefined);
      assert.deepEqual([...server.stored].sort(), lines.filter((line) => !bad.has(line)).sort());
      assert.equal(countLines(bisection.rejections), bad.size);
    }),
    { examples: [[500, [0, 0.4, 0.8], 500]] },
  );
});

test("the number of requests is bounded, and each line is stored or rejected", async () => {
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 500 }),
      share,
      fc.infiniteStream(share),
      async (count, badness, dice) => {
        const lines = numbered(count);
        const bad = new Set(lines.filter(() => Number(dice.next().value) < badness));
        const server = new PartServer(anyOf(bad));
        const bisection = await search(lines);
        await run(bisection, server.send);
        assert.ok(server.requests.length <= 1 + 2 * 32, `${server.requests.length} requests`);
        assert.equal(server.stored.length + countLines(bisection.rejections), count);
        assert.ok(server.stored.every((line) => !bad.has(line)));
        assert.ok(countLines(bisection.rejections) >= bad.size);
      },
    ),
  );
});

test("after the bound on splits, parts that were not rejected are still sent", async () => {
  const lines = numbered(4_096);
  // Twenty bad lines in the first half.
  const bad = new Set(Array.from({ length: 20 }, (_, index) => lines[index * 100] ?? ""));
  const server = new PartServer(anyOf(bad));
  const bisection = await search(lines);
  await run(bisection, server.send);
  assert.ok(server.stored.length >= 2_048, `${server.stored.length} stored`);
  assert.equal(server.stored.length + countLines(bisection.rejections), 4_096);
});

test("a configured limit on lines or bytes loses no good line", async () => {
  const lines = numbered(1_000);
  for (const limits of [
    { ...UNLIMITED, maxLines: 3 },
    { ...UNLIMITED, maxBytes: 500 },
  ]) {
    const server = new PartServer();
    const bisection = await search(lines, limits);
    await run(bisection, server.send);
    assert.deepEqual(server.stored, lines);
    assert.equal(countLines(bisection.rejections), 0);
    assert.ok(server.requests.length > 100);
  }
});

test("a small server limit rejects only lines that are too large by themselves", async () => {
  const lines = numbered(700);
  const long = lines.with(123, `${"x".repeat(400)} up=true`);
  const server = new PartServer((part) => (part.join("\n").length > 300 ? TOO_LARGE : undefined));
  const bisection = await search(long);
  await run(bisection, server.send);
  assert.deepEqual([...server.stored].sort(), lines.toSpliced(123, 1).sort());
  assert.equal(countLines(bisection.rejections), 1);
  assert.match(exampleOf(bisection.rejections), /^HTTP 413: x{199}…$/);
});

test("a request that is not delivered interrupts the search, which then continues", async () => {
  const lines = numbered(64);
  const bad = new Set([lines[20] ?? ""]);
  const interruptions: Outcome[] = [
    { kind: "retry", reason: "TargetUnreachable", detail: "503" },
    { kind: "misconfigured", reason: "TargetUnauthorized", detail: "401" },
  ];
  const server = new PartServer(anyOf(bad));
  const undisturbed = new PartServer(anyOf(bad));
  const bisection = await search(lines);
  const found: (Outcome | undefined)[] = [];
  for (const interruption of interruptions) {
    let left = 3;
    found.push(await run(bisection, (request) => (left-- > 0 ? server.send(request) : Promise.resolve(interruption))));
  }
  assert.equal(await run(bisection, server.send), undefined);
  await run(await search(lines), undisturbed.send);
  assert.deepEqual(found, interruptions);
  assert.deepEqual(server.requests, undisturbed.requests);
  assert.equal(countLines(bisection.rejections), 1);
});

test("a part stored in part counts at most as many rejected lines as it has", async () => {
  const bisection = await search(numbered(10), { ...UNLIMITED, maxLines: 5 });
  const named = [1, 2].map((number) => ({ number, reason: "no value" }));
  const answers = [2, 9].map(
    (rejectedLines) => ({ kind: "partial", rejectedLines, detail: "conflict", named }) as const,
  );
  await run(bisection, () => Promise.resolve(answers.shift() ?? { kind: "delivered" }));
  assert.equal(countLines(bisection.rejections), 2 + 5);
  assert.equal(exampleOf(bisection.rejections), `no value: ${goodLine(0)}`);
});

test("the example is the first rejected line and its reason", async () => {
  const lines = numbered(9);
  const bisection = await search(lines);
  await run(bisection, new PartServer(anyOf(new Set([lines[7] ?? ""]))).send);
  assert.equal(exampleOf(bisection.rejections), `HTTP 400 bad: ${goodLine(7)}`);
});

test("a damaged frame is rejected with a reason, and the others are sent", async () => {
  const [first, second] = [numbered(3), numbered(8).slice(3)];
  const damaged = { ...(await frameOf(batchFrom(first))), payload: Buffer.from("damaged") };
  const bisection = await Bisection.of([damaged, await frameOf(batchFrom(second))], INFLUX, UNLIMITED);
  const server = new PartServer(anyOf(new Set([goodLine(7)])));
  assert.equal(await run(bisection, server.send), undefined);
  assert.deepEqual([...server.stored].sort(), second.slice(0, 4));
  assert.equal(countLines(bisection.rejections), 3 + 1);
  // The first of several reasons is kept.
  assert.match(exampleOf(bisection.rejections), /^damaged in the buffer: /);
});

test("frames that are all damaged leave nothing to send", async () => {
  const damaged = { ...(await frameOf(batchFrom(numbered(3)))), payload: Buffer.from("damaged") };
  const bisection = await Bisection.of([damaged], INFLUX, UNLIMITED);
  const server = new PartServer();
  assert.equal(await run(bisection, server.send), undefined);
  assert.deepEqual([server.requests, countLines(bisection.rejections)], [[], 3]);
});

test("a part that causes a server error is split down to one line, which is rejected", async () => {
  const lines = numbered(200);
  // More bad lines than the bound on splits allows to find.
  const poison = new Set(lines.filter((_, index) => index % 4 === 0));
  const fault = { kind: "retry", reason: "TargetUnreachable", detail: "HTTP 500", maybePoison: true } as const;
  const server = new PartServer((part) => (part.some((line) => poison.has(line)) ? fault : undefined));
  const bisection = await search(lines);
  while (!bisection.done) {
    const outcome = await bisection.step(server.send);
    if (outcome?.kind === "retry") bisection.rejectPart(outcome);
  }
  assert.deepEqual([...server.stored].sort(), lines.filter((line) => !poison.has(line)).sort());
  assert.equal(countLines(bisection.rejections), poison.size);
  assert.equal(bisection.everythingRejected, false);
});

test("everything is rejected if no part is accepted; damaged frames do not count", async () => {
  const bisection = await search(numbered(4));
  await run(bisection, () => Promise.resolve(REJECTED));
  assert.equal(bisection.everythingRejected, true);
  const damaged = { ...(await frameOf(batchFrom(numbered(3)))), payload: Buffer.from("damaged") };
  assert.equal((await Bisection.of([damaged], INFLUX, UNLIMITED)).everythingRejected, false);
});

test("a restart forgets all outcomes except damaged frames", async () => {
  const damaged = { ...(await frameOf(batchFrom(numbered(3)))), payload: Buffer.from("damaged") };
  const bisection = await Bisection.of([damaged, await frameOf(batchFrom(numbered(4)))], INFLUX, UNLIMITED);
  await run(bisection, () => Promise.resolve(REJECTED));
  assert.equal(countLines(bisection.rejections), 7);
  bisection.restart();
  assert.deepEqual([bisection.done, bisection.everythingRejected, countLines(bisection.rejections)], [false, false, 3]);
  const server = new PartServer();
  await run(bisection, server.send);
  assert.deepEqual(server.stored, numbered(4));
});

test("pieceAt returns the line at a fraction of the batch", async () => {
  const bisection = await search(numbered(4));
  const lines = [0, 0.24, 0.25, 0.99, 1].map((share) => Buffer.from(bisection.pieceAt(share)).toString());
  assert.deepEqual(
    lines,
    [0, 0, 1, 3, 3].map((number) => `${goodLine(number)}\n`),
  );
});

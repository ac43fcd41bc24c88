import assert from "node:assert/strict";
import { test } from "node:test";
import { INFLUX } from "../../../src/delivery/influx/influx.ts";
import { RequestBodyCache } from "../../../src/delivery/request-body-cache.ts";
import { compressLines } from "../../../src/spool/gzip-member.ts";
import type { Frame } from "../../../src/spool/spool.ts";
import { linesOf } from "../../support/gzip-member.ts";

function frames(...sequences: readonly number[]): Promise<readonly Frame[]> {
  return Promise.all(
    sequences.map(async (number) => {
      const bytes = Buffer.from(`<${number}>\n`);
      const payload = await compressLines(bytes);
      return { sequence: BigInt(number), lines: 1, rawBytes: bytes.length, createdAtMs: 0, payload };
    }),
  );
}

async function textOf(body: Promise<Uint8Array>): Promise<string> {
  return linesOf(await body).join("");
}

test("a body has all frames in order, and targets with the same frames share it", async () => {
  const bodies = new RequestBodyCache();
  const body = await bodies.bodyOf(await frames(1, 2, 3), INFLUX);
  assert.equal(linesOf(body).join(""), "<1><2><3>");
  assert.equal(await bodies.bodyOf(await frames(1, 2, 3), INFLUX), body);
});

test("a body that several targets request while it is being made is made once", async () => {
  const bodies = new RequestBodyCache();
  const [one, other] = [await frames(1, 2), await frames(2, 3)];
  const made = await Promise.all([one, other, one, other].map((wanted) => bodies.bodyOf(wanted, INFLUX)));
  assert.equal(made[0], made[2]);
  assert.equal(made[1], made[3]);
  assert.notEqual(made[0], made[1]);
});

test("a target with other frames has a body of its own", async () => {
  const bodies = new RequestBodyCache();
  const texts: string[] = [];
  for (const sequences of [
    [1, 2, 3],
    [1, 3],
    [1, 2, 3],
    [12, 3],
    [1, 2],
  ])
    texts.push(await textOf(bodies.bodyOf(await frames(...sequences), INFLUX)));
  assert.deepEqual(texts, ["<1><2><3>", "<1><3>", "<1><2><3>", "<12><3>", "<1><2>"]);
});

test("a damaged frame is an error for each target, and is not cached", async () => {
  const bodies = new RequestBodyCache();
  const [first, second] = await frames(1, 2);
  assert.ok(first !== undefined && second !== undefined);
  const damaged = { ...second, payload: second.payload.slice(0, -9) };
  const tried = await Promise.allSettled([
    bodies.bodyOf([first, damaged], INFLUX),
    bodies.bodyOf([first, damaged], INFLUX),
  ]);
  assert.deepEqual(
    tried.map(({ status }) => status),
    ["rejected", "rejected"],
  );
  assert.equal(await textOf(bodies.bodyOf([first, second], INFLUX)), "<1><2>");
});

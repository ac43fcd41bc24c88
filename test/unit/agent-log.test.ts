import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import { pino } from "pino";
import { AgentLog } from "../../src/agent-log.ts";
import { FakeClock } from "../support/fake-clock.ts";

function fixture() {
  const clock = new FakeClock();
  const entries: Record<string, unknown>[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      entries.push(JSON.parse(chunk.toString()) as Record<string, unknown>);
      done();
    },
  });
  const log = new AgentLog(pino({ level: "warn", base: null, timestamp: false }, stream), clock);
  return { clock, log, entries };
}

test("values that had to be changed are warned about when there are new ones, at most once in five minutes a kind", async () => {
  const { clock, log, entries } = fixture();
  const warned = (): unknown[] => entries.splice(0).map(({ kind, values }) => [kind, values]);
  log.altered({ sanitizedTags: 0, clampedIntegers: 0 });
  assert.deepEqual(warned(), []);
  log.altered({ sanitizedTags: 2, clampedIntegers: 1 });
  assert.deepEqual(warned(), [
    ["sanitizedTags", 2],
    ["clampedIntegers", 1],
  ]);
  log.altered({ sanitizedTags: 5, clampedIntegers: 1 });
  assert.deepEqual(warned(), []);
  await clock.advance(300_000);
  log.altered({ sanitizedTags: 6, clampedIntegers: 1 });
  assert.deepEqual(warned(), [["sanitizedTags", 4]]);
});

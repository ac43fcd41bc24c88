import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConfigSummary } from "../../../src/status/aggregate.ts";
import { ConfigStatusWriter } from "../../../src/status/config-status-writer.ts";
import { FakeClock } from "../../support/fake-clock.ts";

function summary(name: string): ConfigSummary {
  return { name, uid: name, generation: 1, targetCount: 1, faults: [], suspended: false, status: undefined };
}

test("an unplanned error is reported and retried, and does not block other objects", async () => {
  const clock = new FakeClock();
  const written: string[] = [];
  const faults: unknown[] = [];
  let broken = true;
  const writer = new ConfigStatusWriter({
    configs: () => [summary("a"), summary("b")],
    reports: () => [],
    current: () => true,
    write: ({ name }) => {
      if (name === "a" && broken) throw new TypeError("broken");
      written.push(name);
      return Promise.resolve({ kind: "written" });
    },
    announce: () => Promise.resolve({ kind: "written" }),
    faulted: ({ name }, error) => faults.push([name, (error as Error).message]),
    clock,
    random: () => 0.5,
  });
  const stop = new AbortController();
  const running = writer.run(stop.signal);
  await clock.advance(1_000);
  assert.deepEqual(written, ["b"]);
  assert.deepEqual(faults, [["a", "broken"]]);
  broken = false;
  await clock.advance(11_000);
  assert.deepEqual(written, ["b", "a"]);
  stop.abort();
  await running;
});

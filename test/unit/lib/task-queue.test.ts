import assert from "node:assert/strict";
import { test } from "node:test";
import { TaskQueue } from "../../../src/lib/task-queue.ts";

test("tasks run one after the other in order, whatever becomes of one before", async () => {
  const serial = new TaskQueue();
  const events: string[] = [];
  const task =
    (name: string, fails = false) =>
    async (): Promise<string> => {
      events.push(`${name} begins`);
      await new Promise((resolve) => setImmediate(resolve));
      events.push(`${name} ends`);
      if (fails) throw new Error(name);
      return name;
    };
  const results = await Promise.allSettled([serial.run(task("a")), serial.run(task("b", true)), serial.run(task("c"))]);
  assert.deepEqual(events, ["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ["fulfilled", "rejected", "fulfilled"],
  );
});

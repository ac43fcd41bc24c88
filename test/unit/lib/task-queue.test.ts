import assert from "node:assert/strict";
import { test } from "node:test";
import { TaskQueue } from "../../../src/lib/task-queue.ts";

test("tasks run one at a time in order, also after a failed task", async () => {
  const queue = new TaskQueue();
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
  const results = await Promise.allSettled([queue.run(task("a")), queue.run(task("b", true)), queue.run(task("c"))]);
  assert.deepEqual(events, ["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ["fulfilled", "rejected", "fulfilled"],
  );
});

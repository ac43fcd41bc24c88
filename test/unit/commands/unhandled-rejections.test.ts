import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { loggingRejections } from "../../../src/commands/unhandled-rejections.ts";

test("rejections with a new text each time, or without a text, are logged five times", async () => {
  const lines: string[] = [];
  const log = pino({}, { write: (line) => void lines.push(line) });
  const others = new Set(process.listeners("unhandledRejection"));
  await loggingRejections(log, () => {
    // Called without an event, which the test runner would see too.
    const [listener] = process.listeners("unhandledRejection").filter((one) => !others.has(one));
    listener?.(Object.create(null), Promise.resolve());
    for (let text = 0; text < 100; text++) listener?.(new Error(`words of a stranger ${text}`), Promise.resolve());
    return Promise.resolve();
  });
  assert.equal(lines.length, 5);
  assert.ok(lines.every((line) => line.includes("E_INTERNAL")));
  assert.deepEqual(new Set(process.listeners("unhandledRejection")), others);
});

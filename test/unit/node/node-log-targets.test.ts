import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeLog } from "../../support/node-log.ts";

test("a failing target and its recovery are logged, and deliveries only at debug level", () => {
  const { log, entries } = nodeLog();
  log.delivered("main", 7, 3.6);
  log.failing("main", "TargetUnreachable", "refused");
  log.recovered("main");
  assert.deepEqual(entries, [
    { level: "debug", target: "main", lines: 7, ms: 4, msg: "delivered" },
    {
      level: "warn",
      target: "main",
      reason: "TargetUnreachable",
      msg: "delivery failing, lines are buffered: refused",
    },
    { level: "info", target: "main", msg: "delivery recovered" },
  ]);
});

test("another cause of a failure with the same reason is logged, at most one in five minutes", async () => {
  const { clock, log, logged } = nodeLog();
  for (const detail of ["connect ECONNREFUSED", "no complete answer within 10s", "HTTP 503"])
    log.failing("main", "TargetUnreachable", detail);
  await clock.advance(300_000);
  log.ticked({ cycles: 0, failedCycles: 0, domains: 0, lines: 0, skippedTicks: 0, droppedLines: 0 });
  assert.deepEqual(
    logged().filter((line) => line.includes("failing")),
    [
      "warn delivery failing, lines are buffered: connect ECONNREFUSED",
      "warn delivery failing, lines are buffered: HTTP 503",
    ],
  );
});

test("that a target gets plain bodies is logged", () => {
  const { log, logged } = nodeLog();
  for (let request = 0; request < 3; request++) log.notice("main", "plain bodies are sent");
  assert.deepEqual(logged(), ["info plain bodies are sent"]);
});

test("rejected lines are logged with an example, once in five minutes for each target", async () => {
  const { clock, log, logged } = nodeLog();
  for (const target of ["a", "a", "b"]) log.rejected(target, 2, `HTTP 400: line of ${target}`);
  assert.deepEqual(logged(), [
    "error lines rejected, they are not sent again: HTTP 400: line of a",
    "error lines rejected, they are not sent again: HTTP 400: line of b",
  ]);
  await clock.advance(300_000);
  log.rejected("a", 1, "another");
  assert.deepEqual(logged(), ["error lines rejected, they are not sent again: another"]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { NodeLog } from "../../../src/node/node-log.ts";
import { NodeState } from "../../../src/node/node-state.ts";
import { ReportLines } from "../../../src/node/report-lines.ts";
import { until } from "../../support/delivery.ts";
import { named, RouterBench } from "../../support/router-bench.ts";

test("an event that arrives while others go to the spool does not wait for a cycle", async () => {
  await using bench = new RouterBench();
  const { router, clock } = bench;
  bench.down("a");
  await bench.apply({ a: ["Events"] }, { families: ["Events"] });
  const state = new NodeState(new NodeLog(pino({ level: "silent" }), clock), clock);
  const reports = new ReportLines({ router, clock, state });
  const { identity } = named("web");
  const flush = router.flush.bind(router);
  const slow = Promise.withResolvers<undefined>();
  router.flush = async () => {
    const lines = await flush();
    await slow.promise;
    return lines;
  };
  const { sleeping } = clock;
  reports.write({ timestampMs: 1, identity, kind: "reboot", count: 1 }, "/socket");
  await clock.advance(100);
  await until("the first event is in the spool", () => router.senders[0]?.backlog.lines === 1);
  reports.write({ timestampMs: 2, identity, kind: "reboot", count: 1 }, "/socket");
  slow.resolve(undefined);
  await until("the second event waits", () => clock.sleeping > sleeping);
  await clock.advance(100);
  await until("the second event is in the spool", () => router.senders[0]?.backlog.lines === 2);
  await reports.close();
  assert.equal(reports.takeLines(), 2);
});

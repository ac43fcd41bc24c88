import assert from "node:assert/strict";
import { test } from "node:test";
import { LAUNCHER_BUDGET } from "../../../src/budget.ts";
import { Router } from "../../../src/routing/router.ts";
import { MemorySpool } from "../../../src/spool/memory-spool.ts";
import { ObserverLog } from "../../support/delivery.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { MemoryTarget } from "../../support/memory-target.ts";
import { configOf, named } from "../../support/router-bench.ts";
import { turns } from "../../support/turns.ts";

test("two flushes at once charge each launcher with its own lines", async () => {
  const clock = new FakeClock();
  const spool = new MemorySpool({ maxBytes: 1 << 20, maxAgeMs: 60_000 }, clock);
  const append = spool.append.bind(spool);
  const synced = Promise.withResolvers<undefined>();
  // As on a disk, where appends of the same moment share one sync.
  spool.append = async (...batch) => {
    await append(...batch);
    await synced.promise;
  };
  const target = new MemoryTarget();
  target.answer = () => ({ status: 503, body: "" });
  const node = undefined;
  const protocolOf = (): MemoryTarget["protocol"] => target.protocol;
  const router = new Router({
    node,
    clock,
    observer: new ObserverLog(),
    onMissing: () => undefined,
    protocolOf,
    spool,
  });
  await router.apply(configOf({ a: ["Metrics"] }));
  router.quotas.retain(["/few", "/many"].map((socket) => ({ socket, budget: LAUNCHER_BUDGET })));
  router.route(named("few"), router.quotas.of("/few"));
  const flushed = [router.flush()];
  await turns(60);
  for (let index = 0; index < 500; index++) router.route(named(`many-${index}`), router.quotas.of("/many"));
  flushed.push(router.flush());
  await turns(60);
  synced.resolve(undefined);
  await Promise.all(flushed);
  const [few = 0, many = 0] = ["/few", "/many"].map((socket) => router.quotas.of(socket)?.spooledBytes);
  assert.ok(many > few, `${few} and ${many} bytes`);
  await router.stop();
});

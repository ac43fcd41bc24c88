import assert from "node:assert/strict";
import { test } from "node:test";
import { BudgetError, TelemetryError, unexpected } from "../../../src/errors.ts";
import { LibvirtError } from "../../../src/libvirt/errors.ts";
import { newLineCounters } from "../../../src/measurement/line-protocol.ts";
import { cycle, failed, nodeLog } from "../../support/node-log.ts";
import { sample } from "../../support/samples.ts";

const DONE = { domains: 2, lines: 10, durationMs: 5, complete: true };

test("a failing endpoint is logged once, and so is its recovery", () => {
  const { state, entries, logged } = nodeLog();
  state.endpoints.recordCycle(cycle());
  assert.deepEqual(logged(), []);
  state.endpoints.recordCycle(failed("refused"));
  assert.deepEqual(entries, [
    {
      level: "warn",
      endpoint: "/run/libvirt",
      code: "E_SOCKET_NOT_FOUND",
      msg: "no statistics from libvirt: refused",
    },
  ]);
  logged();
  state.endpoints.recordCycle(failed("refused"));
  state.endpoints.recordCycle(cycle({ outcome: "skipped" }));
  state.endpoints.recordCycle(failed("late"));
  assert.deepEqual(logged(), []);
  state.endpoints.recordCycle(cycle());
  state.endpoints.recordCycle(cycle());
  assert.deepEqual(logged(), ["info libvirt answers again"]);
});

test("an unplanned failure is logged with its stack, once in five minutes", () => {
  const { state, entries } = nodeLog();
  const error = unexpected("a step", new Error("a bug"));
  for (let round = 0; round < 3; round++) {
    state.endpoints.recordCycle(cycle({ errors: [error] }));
    state.recordFailure(error);
  }
  state.endpoints.recordCycle(cycle({ outcome: "failed", errors: [error] }));
  assert.deepEqual(
    entries.map(({ level, code }) => `${String(level)} ${String(code)}`),
    ["warn E_INTERNAL", "error E_INTERNAL", "warn E_INTERNAL"],
  );
  for (const { err } of entries) assert.match((err as { readonly stack: string }).stack, /node-log\.test\.ts/);
});

test("an unplanned failure of one step does not hide that of another, and another text is the same failure", () => {
  const { log, logged } = nodeLog();
  for (const text of ["one", "two: three"])
    for (const step of ["a cycle", "a report"]) log.failed(unexpected(step, new Error(text)));
  assert.deepEqual(logged(), ["error a cycle failed unexpectedly: one", "error a report failed unexpectedly: one"]);
});

test("an endpoint that fails from the start is logged, and one that works is not", () => {
  const { state, logged } = nodeLog();
  state.endpoints.recordCycle(cycle({ endpoint: "good" }));
  state.endpoints.recordCycle({ ...failed("refused"), endpoint: "bad" });
  assert.deepEqual(logged(), ["warn no statistics from libvirt: refused"]);
});

test("the first start of a launcher is not logged as a recovery", () => {
  const { state, logged } = nodeLog();
  state.endpoints.recordCycle(cycle({ outcome: "absent" }));
  state.endpoints.recordCycle(cycle({ outcome: "absent" }));
  state.endpoints.recordCycle(cycle());
  assert.deepEqual(logged(), ["debug the launcher is not up"]);
});

test("a forgotten endpoint is new when it returns", () => {
  const { state, logged } = nodeLog();
  state.endpoints.recordCycle({ ...failed("refused"), endpoint: "gone" });
  state.endpoints.recordCycle({ ...failed("refused"), endpoint: "kept" });
  logged();
  state.endpoints.retain(new Set(["kept"]));
  state.endpoints.recordCycle(cycle({ endpoint: "gone" }));
  assert.deepEqual(logged(), []);
  state.endpoints.recordCycle(cycle({ endpoint: "kept" }));
  assert.deepEqual(logged(), ["info libvirt answers again"]);
});

test("each code of the errors of a cycle is logged once in five minutes, whatever the texts", async () => {
  const { clock, state, entries, logged } = nodeLog();
  const errors = ["one", "two", "three"].map((message) => new TelemetryError("E_DOMAIN_XML", message));
  const other = new BudgetError("Devices", "many devices");
  state.endpoints.recordCycle(cycle({ errors: [...errors, other] }));
  const endpoint = "/run/libvirt";
  assert.deepEqual(entries.splice(0), [
    { level: "warn", endpoint, code: "E_DOMAIN_XML", more: 2, msg: "one" },
    { level: "warn", endpoint, code: "E_LAUNCHER_BUDGET", rejection: "Devices", msg: "many devices" },
  ]);
  state.endpoints.recordCycle(cycle({ errors: errors.slice(1) }));
  assert.deepEqual(logged(), []);
  await clock.advance(300_000);
  state.endpoints.recordCycle(cycle({ errors: errors.slice(1) }));
  assert.deepEqual(logged(), ["warn two"]);
});

test("a stuck QEMU and its recovery are logged once, and a slow QEMU is not", () => {
  const { state, entries } = nodeLog();
  const logged = (): unknown[] =>
    entries.splice(0).flatMap(({ level, domain }) => (typeof domain === "string" ? `${String(level)} ${domain}` : []));
  state.endpoints.recordCycle(cycle({ slow: ["web", "db", "new"] }));
  assert.deepEqual(logged(), []);
  state.endpoints.recordCycle(cycle({ stuck: ["web", "db"], slow: ["new"] }));
  assert.deepEqual(logged(), ["warn web", "warn db"], "and not the one that was only starting");
  state.endpoints.recordCycle(cycle({ stuck: ["db"] }));
  assert.deepEqual(logged(), ["info web"]);
  // A cycle without an answer does not change the state of a QEMU.
  state.endpoints.recordCycle(failed("refused"));
  state.endpoints.recordCycle(cycle({ stuck: ["db"] }));
  assert.deepEqual(logged(), []);
});

test("a busy domain is not logged as a QEMU that does not answer", () => {
  const { state, logged } = nodeLog();
  state.endpoints.recordCycle(cycle({ busy: ["web"] }));
  state.endpoints.recordCycle(cycle({ busy: ["web"] }));
  assert.deepEqual(logged(), [
    "warn the domain is busy with a job of another client: no disk values and totals for this domain",
  ]);
  state.endpoints.recordCycle(cycle({ stuck: ["web"] }));
  assert.deepEqual(logged(), ["warn QEMU does not answer libvirt: no disk values and totals for this domain"]);
});

test("errors while a launcher or a VM starts are logged at debug level only", () => {
  const { state, logged } = nodeLog();
  const tolerated = [new LibvirtError("E_LIBVIRT_TIMEOUT", "no answer")];
  state.endpoints.recordCycle(cycle({ outcome: "starting", tolerated }));
  state.endpoints.recordCycle(cycle({ tolerated, slow: ["web"] }));
  assert.deepEqual(logged(), [
    "debug not a failure yet: no answer",
    "debug not a failure yet: no answer",
    "debug QEMU has not answered in this cycle",
  ]);
  state.endpoints.recordCycle(cycle({ outcome: "failed", errors: tolerated }));
  assert.deepEqual(logged(), ["warn no statistics from libvirt: no answer"]);
});

test("domains that appear, disappear and restart are logged at debug level", () => {
  const { state, entries } = nodeLog();
  const logged = (): unknown[] => entries.splice(0).map(({ level, msg, domain }) => [level, msg, domain]);
  const run = (name: string, id: number) =>
    sample({ identity: { id, uuid: `uuid of ${name}`, name, namespace: "shop" } });
  state.endpoints.recordCycle(cycle({ samples: [run("web", 1), run("db", 2)] }));
  assert.deepEqual(logged(), [
    ["debug", "domain appeared", "shop/web"],
    ["debug", "domain appeared", "shop/db"],
  ]);
  state.endpoints.recordCycle(cycle({ samples: [run("web", 3)] }));
  assert.deepEqual(logged(), [
    ["debug", "domain appeared", "shop/web"],
    ["debug", "domain gone", "shop/web"],
    ["debug", "domain gone", "shop/db"],
  ]);
});

test("missing values are logged in one line, and each domain counts once for each field", async () => {
  const { clock, state, entries } = nodeLog("info");
  const [web, db] = ["web", "db"].map(
    (name) => sample({ identity: { id: 1, uuid: name, name, namespace: "prod" } }).identity,
  );
  const missing = (): void => {
    for (const domain of [web, web, db]) if (domain !== undefined) state.countMissing("vm_devices.rxbytes", domain);
    if (db !== undefined) state.countMissing("vm_totals.memusable", db);
    state.recordCycle(DONE, newLineCounters());
  };
  missing();
  const msg = "values missing: libvirt does not report them for these numbers of domains";
  const domains = { "vm_devices.rxbytes": 2, "vm_totals.memusable": 1 };
  assert.deepEqual(entries.splice(0), [{ level: "warn", domains, example: "prod/db", msg }]);
  missing();
  assert.deepEqual(entries, []);
  await clock.advance(300_000);
  state.recordCycle(DONE, newLineCounters());
  assert.deepEqual(entries, []);
  missing();
  assert.equal(entries.length, 1);
});

test("a summary is logged once a minute", async () => {
  const { clock, log, state, entries } = nodeLog("info");
  const work = (lines: number, failed: boolean): void => {
    state.endpoints.recordCycle(cycle({ samples: [sample(), sample(), sample()] }));
    state.recordCycle({ domains: 3, lines, durationMs: 5, complete: !failed }, newLineCounters());
    log.delivered("main", lines, 7);
  };
  work(10, false);
  work(20, true);
  log.rejected("main", 4, "a line");
  entries.length = 0;
  await clock.advance(59_999);
  state.recordTick({ skippedTicks: 2, droppedLines: 5 });
  assert.deepEqual(entries, []);
  await clock.advance(1);
  state.recordTick({ skippedTicks: 2, droppedLines: 5 });
  const first = { cycles: 2, failedCycles: 1, domains: 3, lines: 30, deliveredLines: 30, rejectedLines: 4 };
  assert.deepEqual(entries.splice(0), [
    { level: "info", ...first, skippedTicks: 2, droppedLines: 5, msg: "last minute" },
  ]);
  work(10, false);
  await clock.advance(60_000);
  state.recordTick({ skippedTicks: 2, droppedLines: 5 });
  const second = { cycles: 1, failedCycles: 0, domains: 3, lines: 10, deliveredLines: 10, rejectedLines: 0 };
  assert.deepEqual(entries, [{ level: "info", ...second, skippedTicks: 0, droppedLines: 0, msg: "last minute" }]);
});

test("the summary has the reasons of cycles that are not complete, also those that are not faults", async () => {
  const { clock, state, entries } = nodeLog("info");
  const late = new LibvirtError("E_LIBVIRT_TIMEOUT", "no answer");
  for (let times = 0; times < 2; times++)
    state.endpoints.recordCycle(cycle({ tolerated: [late], slow: ["web", "db"] }));
  await clock.advance(60_000);
  state.recordTick({ skippedTicks: 0, droppedLines: 0 });
  await clock.advance(60_000);
  state.recordTick({ skippedTicks: 0, droppedLines: 0 });
  assert.deepEqual(
    entries.map((entry) => entry["reasons"]),
    [{ E_LIBVIRT_TIMEOUT: 2, slow: 4 }, undefined],
  );
});

test("new changed values are logged at most once in five minutes for each kind", async () => {
  const { clock, state, entries } = nodeLog();
  const warned = (): unknown[] =>
    entries.splice(0).flatMap(({ kind, values }) => (kind === undefined ? [] : [[kind, values]]));
  state.recordCycle(DONE, { ...newLineCounters(), sanitizedTags: 0, clampedIntegers: 0 });
  assert.deepEqual(warned(), []);
  state.recordCycle(DONE, { ...newLineCounters(), sanitizedTags: 2, clampedIntegers: 1 });
  assert.deepEqual(warned(), [
    ["clampedIntegers", 1],
    ["sanitizedTags", 2],
  ]);
  state.recordCycle(DONE, { ...newLineCounters(), sanitizedTags: 5, clampedIntegers: 1 });
  assert.deepEqual(warned(), []);
  await clock.advance(300_000);
  state.recordCycle(DONE, { ...newLineCounters(), sanitizedTags: 6, clampedIntegers: 1 });
  assert.deepEqual(warned(), [["sanitizedTags", 4]]);
});

test("a group that a libvirt does not have is logged once", () => {
  const { state, entries } = nodeLog();
  const logged = (unsupported: readonly string[]): unknown => {
    state.recordCycle({ ...DONE, unsupported }, newLineCounters());
    return entries.splice(0).flatMap(({ groups }) => groups ?? []);
  };
  assert.deepEqual(
    [logged([]), logged(["Vm"]), logged(["Vm", "Memory"]), logged(["Vm"])],
    [[], ["Vm"], ["Memory"], []],
  );
});

test("a failing disk and its recovery are logged, and findings once in five minutes", async () => {
  const { clock, log, entries, logged } = nodeLog();
  log.spool.failing(new TelemetryError("E_SPOOL_WRITE", "cannot write to /spool: ENOSPC"));
  assert.deepEqual(entries.splice(0), [
    {
      level: "error",
      code: "E_SPOOL_WRITE",
      msg: "lines are kept in memory only: cannot write to /spool: ENOSPC",
    },
  ]);
  log.spool.recovered();
  for (const code of ["E_SPOOL_DAMAGED", "E_SPOOL_DAMAGED", "E_SPOOL_NEWER"] as const)
    log.spool.found(new TelemetryError(code, code));
  assert.deepEqual(logged(), ["info lines are kept on disk again", "warn E_SPOOL_DAMAGED", "warn E_SPOOL_NEWER"]);
  await clock.advance(300_000);
  log.spool.found(new TelemetryError("E_SPOOL_DAMAGED", "again"));
  log.spool.takenOver("/spool/v1", 5);
  const took = "took over the spool of another agent";
  assert.deepEqual(entries.slice(1), [{ level: "info", directory: "/spool/v1", lines: 5, msg: took }]);
});

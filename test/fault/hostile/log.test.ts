// Launchers and targets that want to fill the log, or to hide other lines in it.
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test, type TestContext } from "node:test";
import { LibvirtSource } from "../../../src/collection/libvirt/libvirt-source.ts";
import type { SourceCycle } from "../../../src/collection/source.ts";
import { BALLOON, DEVICES } from "../../../src/collection/stats-needs.ts";
import { SenderStats } from "../../../src/delivery/sender-stats.ts";
import { TelemetryError } from "../../../src/errors.ts";
import { LibvirtError } from "../../../src/libvirt/errors.ts";
import { createLogger, type LogLevel, type LogStream } from "../../../src/log.ts";
import { NodeLog } from "../../../src/node/node-log.ts";
import { NodeState } from "../../../src/node/node-state.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { startPeer, type PeerCall } from "../../support/libvirt-peer.ts";
import { atEnd } from "../../support/at-end.ts";

const INTERVAL_MS = 2_000;
const CYCLES_A_MINUTE = 60_000 / INTERVAL_MS;
/** The bound for the lines of a minute, with everything that is always logged. */
const MAX_LINES = 60;

/** The state and the log of a node, as an agent makes them. */
async function node(t: TestContext, level: LogLevel = "info") {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const clock = new FakeClock();
  const stream = new PassThrough();
  const log = new NodeLog(await createLogger({ level }, stream as unknown as LogStream, clock), clock);
  const state = new NodeState(log, clock);
  /** Returns the lines since the last call. */
  const lines = (): Record<string, unknown>[] =>
    ((stream.read() as Buffer | null)?.toString() ?? "")
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  /** Records what `cyclesAt` returns for each cycle of a minute. Returns the lines. */
  const minute = async (cyclesAt: (cycle: number) => readonly SourceCycle[]): Promise<Record<string, unknown>[]> => {
    for (let cycle = 0; cycle < CYCLES_A_MINUTE; cycle++) {
      for (const one of cyclesAt(cycle)) state.endpoints.recordCycle(one);
      state.recordTick({ skippedTicks: 0, droppedLines: 0 });
      await clock.advance(INTERVAL_MS);
      t.mock.timers.tick(INTERVAL_MS);
    }
    return lines();
  };
  return { clock, log, state, lines, minute };
}

const QUIET = { samples: [], stuck: [], busy: [], slow: [], errors: [], tolerated: [] };
const up = (endpoint: string): SourceCycle => ({ ...QUIET, endpoint, outcome: "collected" });
const down = (endpoint: string, error: LibvirtError | TelemetryError): SourceCycle => ({
  ...QUIET,
  endpoint,
  outcome: "failed",
  errors: [error],
});
const random = (): string => Math.random().toString(36).repeat(20);
const endpoints = (count: number): string[] => Array.from({ length: count }, (_, index) => `/pods/${index}/sock`);
const messages = (lines: readonly Record<string, unknown>[]): unknown[] =>
  lines.filter(({ leftOut }) => leftOut === undefined).map(({ msg }) => msg);

test("200 domains that refuse each call with a new text make one line in five minutes", async (t) => {
  const refuse = (call: PeerCall): void => {
    call.fail(1, random());
  };
  const names = Array.from({ length: 200 }, (_, index) => `vm-${index}`);
  const { socketPath } = await startPeer(t, {
    CONNECT_LIST_ALL_DOMAINS: (call) => {
      call.reply((writer) =>
        writer
          .array(names, (name) =>
            writer
              .string(name)
              .fixedOpaque(Buffer.alloc(16, names.indexOf(name)))
              .int(1),
          )
          .uint(names.length),
      );
    },
    CONNECT_GET_ALL_DOMAIN_STATS: refuse,
    DOMAIN_GET_INFO: refuse,
    DOMAIN_GET_CPU_STATS: refuse,
    DOMAIN_GET_XML_DESC: refuse,
  });
  const clock = new FakeClock();
  const settings = { timeoutMs: 60_000, deviceCacheTtlMs: 300_000, needs: [DEVICES, BALLOON] };
  const source = new LibvirtSource({ socket: socketPath }, settings, clock);
  atEnd(t, () => {
    source.close();
  });
  const cycles: SourceCycle[] = [];
  for (let cycle = 0; cycle < 5; cycle++) cycles.push(await source.collect());
  assert.ok(cycles.every(({ errors }) => errors.length >= 200));
  const { state, lines } = await node(t);
  for (const cycle of cycles) state.endpoints.recordCycle(cycle);
  const written = lines();
  assert.deepEqual(
    written.map(({ code, more }) => [code, typeof more]),
    [["E_LIBVIRT_REMOTE", "number"]],
  );
});

test("500 launchers that fail with new texts make at most 60 lines a minute, and the others are counted", async (t) => {
  const { minute } = await node(t);
  const codes = ["E_LIBVIRT_TIMEOUT", "E_LIBVIRT_CLOSED", "E_LIBVIRT_PROTOCOL", "E_LIBVIRT_REMOTE"] as const;
  const flood = (cycle: number): SourceCycle[] =>
    endpoints(500).map((endpoint, index) =>
      down(endpoint, new LibvirtError(codes[(index + cycle) % codes.length] ?? "E_LIBVIRT_REMOTE", random())),
    );
  let [written, leftOut] = [0, 0];
  for (let round = 0; round < 6; round++) {
    const lines = await minute(flood);
    assert.ok(lines.length <= MAX_LINES, `${lines.length} lines in minute ${round}`);
    written += lines.filter(({ level, leftOut }) => level === "warn" && leftOut === undefined).length;
    for (const { leftOut: groups = {} } of lines)
      for (const count of Object.values(groups as Record<string, number>)) leftOut += count;
  }
  // Each code of each launcher once in five minutes.
  assert.ok(written + leftOut >= 2_000, `${written} written, ${leftOut} left out`);
});

test("launchers that go up and down in each cycle do not hide the failure of another one", async (t) => {
  const { minute } = await node(t);
  const flip = (cycle: number): SourceCycle[] =>
    endpoints(50).map((endpoint) =>
      cycle % 2 === 0 ? up(endpoint) : down(endpoint, new LibvirtError("E_LIBVIRT_CLOSED", random())),
    );
  const first = await minute(flip);
  assert.ok(first.length <= MAX_LINES, `${first.length} lines`);
  assert.deepEqual(messages(await minute(flip)), ["last minute"], "each launcher is logged once in five minutes");
  const victim = new LibvirtError("E_LIBVIRT_TIMEOUT", "libvirt did not answer CONNECT_OPEN within 1600 ms");
  const third = await minute((cycle) => [...flip(cycle), down("/victim", victim)]);
  assert.deepEqual(messages(third), [`no statistics from libvirt: ${victim.message}`, "last minute"]);
});

test("a launcher that changes its code all the time makes a line for each code", async (t) => {
  const { minute } = await node(t);
  const codes = ["E_LIBVIRT_TIMEOUT", "E_LIBVIRT_DENIED"] as const;
  const lines = await minute((cycle) => [
    down("/a", new LibvirtError(codes[cycle % 2] ?? "E_LIBVIRT_DENIED", random())),
  ]);
  assert.deepEqual(lines.map(({ code }) => code).filter(Boolean), ["E_LIBVIRT_TIMEOUT", "E_LIBVIRT_DENIED"]);
});

test("a target that flips, or changes its reason and its text, is logged once for each reason", async (t) => {
  const { clock, log, lines } = await node(t);
  const stats = new SenderStats(() => "main", log, clock);
  for (let round = 0; round < 100; round++) {
    stats.failed("TargetUnreachable", random());
    stats.failed("TargetUnauthorized", random());
    stats.answered();
    stats.rejected(1, random());
  }
  assert.deepEqual(
    lines().map(({ level, reason }) => [level, reason]),
    [
      ["warn", "TargetUnreachable"],
      ["warn", "TargetUnauthorized"],
      ["info", undefined],
      ["error", undefined],
    ],
  );
});

test("the first line of each code and each change of the configuration pass a flood", async (t) => {
  const { log, state, lines } = await node(t);
  for (const endpoint of endpoints(500))
    state.endpoints.recordCycle(down(endpoint, new LibvirtError("E_LIBVIRT_REMOTE", random())));
  const before = lines().length;
  assert.ok(before <= MAX_LINES / 2, `${before} lines at once`);
  log.configRejected(
    { reason: "E_CONFIG_INVALID", error: new TelemetryError("E_CONFIG_INVALID", "spec.targets is missing") },
    undefined,
  );
  log.spool.failing(new TelemetryError("E_SPOOL_WRITE", "cannot write"));
  log.configured(undefined, undefined);
  state.endpoints.recordCycle(down("/new", new LibvirtError("E_LIBVIRT_DENIED", "no permission")));
  assert.deepEqual(
    lines().map(({ code }) => code),
    ["E_CONFIG_INVALID", "E_SPOOL_WRITE", "E_LIBVIRT_DENIED"],
  );
});

test("pods that come and go with a new failure each time are forgotten", async (t) => {
  const { minute, state, lines } = await node(t);
  let pod = 0;
  const churn = (): SourceCycle[] => {
    const names = Array.from({ length: 100 }, () => `/pods/new-${pod++}/sock`);
    state.endpoints.retain(new Set());
    return names.map((endpoint) => down(endpoint, new LibvirtError("E_LIBVIRT_REMOTE", random())));
  };
  for (let round = 0; round < 10; round++) {
    const written = (await minute(churn)).length;
    assert.ok(written <= MAX_LINES, `${written} lines`);
  }
  const last = `/pods/new-${pod - 1}/sock`;
  state.endpoints.retain(new Set());
  state.endpoints.recordCycle(up(last));
  assert.deepEqual(lines(), [], "it is not logged as a recovery");
});

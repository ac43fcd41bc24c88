import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { RunningAgent, target2, type AgentConfig } from "./support/agent.ts";
import type { LogEntry } from "./support/agent-process.ts";
import type { Row } from "./support/csv.ts";
import { Influxd2 } from "./support/influxd2.ts";
import { LibvirtHost } from "./support/libvirt-host.ts";

const INTERVAL_MS = 1_000;
const WRONG_TOKEN = "a-revoked-token";
const isChange = ({ msg }: LogEntry): boolean => msg === "configuration changed";
const isRejection = ({ msg }: LogEntry): boolean => msg.startsWith("configuration rejected, ");

const resources = new AsyncDisposableStack();
let influx: Influxd2;
let agent: RunningAgent;
let exitCode: number | null;
/** When the second configuration became active; it has the tag `site` and omits missing values. */
let secondMs: number;
let rejections: readonly LogEntry[];
/** Rows of vm_totals before SIGTERM, and after the end; the latter in the order of time. */
let rowsBefore: readonly Row[];
let rows: readonly Row[];

before(async () => {
  influx = resources.use(await Influxd2.start());
  const host = resources.use(await LibvirtHost.start());
  await host.createGuest("bare", { balloon: false });
  const first = { targets: target2(influx, "      flush: {interval: 100ms}\n") };
  agent = resources.use(
    await RunningAgent.start({
      ...first,
      sockets: [host.socket],
      secrets: { influx2: { token: WRONG_TOKEN } },
    }),
  );
  await agent.logged(({ reason }) => reason === "TargetUnauthorized", "that its token is rejected");
  await agent.run(2);

  await agent.writeSecret("influx2", "token", influx.token);
  await reload(isChange);
  await agent.logged(({ msg }) => msg === "delivery recovered", "that its token is accepted");
  await agent.run(2);

  // From here on lines are queued.
  const second: AgentConfig = {
    targets: target2(influx, "      flush: {interval: 5m}\n"),
    spec: "    onMissing: Omit\n  tags: {static: {site: lab}}",
  };
  await agent.writeConfig(second);
  secondMs = Date.parse(String((await reload(isChange))["time"]));
  await agent.run(3);

  await agent.writeConfig({ ...second, interval: "10ms" });
  rejections = [await reload(isRejection), await reload(isRejection)];
  await agent.run(2);
  rowsBefore = await influx.points("vm_totals");
  exitCode = await agent.stop();
  rows = (await influx.points("vm_totals")).toSorted((a, b) => timeOf(a) - timeOf(b));
});

after(() => resources.disposeAsync());

/** Sends SIGHUP and waits for the agent's log entry. */
function reload(fits: (entry: LogEntry) => boolean): Promise<LogEntry> {
  const since = agent.log.length;
  agent.signal("SIGHUP");
  return agent.logged(fits, "an answer to SIGHUP", since);
}

function timeOf({ time = "" }: Row): number {
  return Date.parse(time);
}

test("a wrong token, a reload, an invalid file and the shutdown lose no cycle", () => {
  const ticks = Math.round((timeOf(rows.at(-1) ?? {}) - timeOf(rows[0] ?? {})) / INTERVAL_MS) + 1;
  assert.equal(rows.length, ticks);
  assert.equal(rows.length, agent.cycles.length);
});

test("a new configuration applies as a whole from the cycle after its reload", () => {
  for (const row of rows) {
    const second = timeOf(row) > secondMs;
    assert.equal(row["site"], second ? "lab" : undefined, `site at ${row["time"]}`);
    assert.equal(row["memusable"], second ? undefined : "0", `memusable at ${row["time"]}`);
  }
  assert.ok(rows.filter((row) => timeOf(row) > secondMs).length >= 5);
});

test("an invalid file keeps the configuration, and every SIGHUP reports the fault", () => {
  for (const { level, code, msg } of rejections) {
    assert.deepEqual([level, code], ["error", "E_CONFIG_INVALID"]);
    assert.match(msg, /config\.yaml:\d+: spec\.collection\.interval: must be from 1s to 1h/);
  }
  assert.equal(new Set(agent.log.filter(isChange).map(({ intervalMs }) => intervalMs)).size, 1);
});

test("SIGTERM delivers the queue and exits with 0", () => {
  assert.equal(exitCode, 0);
  assert.ok(rowsBefore.length < rows.length, `${rowsBefore.length} rows were there before`);
  const last = agent.log.at(-1);
  assert.deepEqual([last?.msg, last?.["undeliveredLines"], last?.["rejectedLines"]], ["stopped", 0, 0]);
});

test("the agent's output is only its log, without tokens", () => {
  for (const line of agent.output.trim().split("\n")) assert.doesNotThrow(() => JSON.parse(line) as unknown, line);
  for (const token of [WRONG_TOKEN, influx.token]) assert.ok(!agent.output.includes(token));
});

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { DomainSample } from "../../../src/collection/domain-sample.ts";
import { STATUS, type Status } from "../../../src/collection/libvirt/status.ts";
import { CONTROL_ERROR, CONTROL_STATE, DOMAIN_STATE } from "../../../src/libvirt/protocol.ts";
import { needsOf } from "../../../src/measurement/registry.ts";
import { reasonName } from "../../../src/collection/state-reason.ts";
import { SyntheticDomain } from "../../../src/simulator/synthetic-domain.ts";
import { encode, points } from "../../support/encode.ts";
import { sample } from "../../support/samples.ts";
import { SimulatedEndpoint } from "../../support/simulated-endpoint.ts";

const FAMILIES = ["Status"] as const;
const PAUSED: Status = {
  state: DOMAIN_STATE.PAUSED,
  reason: 5,
  control: { state: CONTROL_STATE.OK, details: 0, stateTimeMs: 0 },
  startedS: 1_699_896_400,
};

function withStatus(status: Partial<Status>): DomainSample {
  return sample({ state: DOMAIN_STATE.PAUSED, readings: new Map([[STATUS, { ...PAUSED, ...status }]]) });
}

function fields(one: DomainSample): Readonly<Record<string, unknown>> {
  return Object.fromEntries(points([one], { families: FAMILIES })[0]?.fields ?? []);
}

test("a VM that an I/O error has paused says so, with all fields in the order of the contract", () => {
  const { text, missing } = encode([withStatus({})], { families: FAMILIES });
  assert.equal(text, readFileSync("test/golden/lines/status.lp", "utf8"));
  assert.deepEqual(missing, []);
});

test("what is not known about the status is left out even with Zero", () => {
  const none = { state: undefined, reason: undefined, control: undefined, startedS: undefined };
  assert.equal(encode([withStatus(none), sample()], { families: FAMILIES }).text, "");
});

test("a start in the future gives no uptime", () => {
  const ahead = fields(withStatus({ startedS: 1_699_900_001 }));
  assert.ok(!("uptime_s" in ahead) && "started_s" in ahead);
});

test("a reason has libvirt's word, and one that a newer libvirt adds is unknown", () => {
  assert.equal(reasonName(DOMAIN_STATE.RUNNING, 1), "booted");
  assert.equal(reasonName(DOMAIN_STATE.PAUSED, 13), "post-copy-failed");
  assert.equal(reasonName(DOMAIN_STATE.CRASHED, 1), "panicked");
  for (const [state, reason] of [
    [DOMAIN_STATE.PAUSED, 99],
    [99, 1],
    [-1, -1],
    [1, 1.5],
  ] as const)
    assert.equal(reasonName(state, reason), "unknown");
});

test("a QEMU is stuck if a command waits for it for ten seconds, or if its monitor has failed", () => {
  const stuck = (state: number, details: number, stateTimeMs: number): unknown =>
    fields(withStatus({ control: { state, details, stateTimeMs } }))["stuck"];
  assert.equal(stuck(CONTROL_STATE.OCCUPIED, 0, 9_999), 0n);
  assert.equal(stuck(CONTROL_STATE.OCCUPIED, 0, 10_000), 1n);
  assert.equal(stuck(CONTROL_STATE.JOB, 0, 60_000), 0n);
  assert.equal(stuck(CONTROL_STATE.ERROR, CONTROL_ERROR.MONITOR, 0), 1n);
  assert.equal(stuck(CONTROL_STATE.ERROR, CONTROL_ERROR.INTERNAL, 0), 0n);
  assert.equal(fields(withStatus({ control: { state: 9, details: 0, stateTimeMs: 0 } }))["control"], "unknown");
});

test("the status of a simulated VM costs one call, and none while the family is off", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { domains: 1, settings: { needs: needsOf(FAMILIES) } });
  const written = fields(await endpoint.sample());
  assert.deepEqual(written, { reason: "booted", reason_code: 1n, stuck: 0n, control: "ok", control_ms: 0n });
  assert.equal(endpoint.newCalls("DOMAIN_GET_CONTROL_INFO"), 1);
  endpoint.source.configure({ timeoutMs: 4_000, deviceCacheTtlMs: 300_000, needs: [] });
  await endpoint.sample();
  assert.equal(endpoint.newCalls("DOMAIN_GET_CONTROL_INFO"), 0);
});

test("the start of a run is known if the agent has seen it appear, and not of an older one", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { domains: 1, settings: { needs: needsOf(FAMILIES) } });
  const started = async (name: string): Promise<unknown> => fields(await endpoint.sample(name))["started_s"];
  assert.equal(await started("vm-001"), undefined);
  const bornS = BigInt(Math.floor(endpoint.clock.now() / 1000));
  endpoint.host.addDomain(new SyntheticDomain(2, endpoint.shape));
  assert.equal(await started("vm-002"), bornS);
  const later = fields(await endpoint.sample("vm-002"));
  assert.deepEqual([later["started_s"], later["uptime_s"]], [bornS, 5n]);
  assert.equal(await started("vm-001"), undefined);
  const { ref } = endpoint.domain("vm-001");
  endpoint.host.addDomain(new SyntheticDomain(1, endpoint.shape, { ...ref, id: 9 }));
  assert.equal(await started("vm-001"), BigInt(Math.floor(endpoint.clock.now() / 1000)) - 5n);
});

test("the start of a VMI is that of its VM, also for a run that is older than the agent", async (t) => {
  const vm = { name: "web", namespace: "shop", startedS: 1_699_000_000 };
  const endpoint = await SimulatedEndpoint.start(t, {
    domains: 1,
    settings: { needs: needsOf(FAMILIES) },
    identify: () => vm,
  });
  assert.equal(fields(await endpoint.sample("web"))["started_s"], 1_699_000_000n);
});

test("a run that appears while the daemon cannot be observed has no start", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { domains: 1, settings: { needs: needsOf(FAMILIES) } });
  await endpoint.sample();
  await endpoint.stopDaemon();
  assert.equal((await endpoint.cycle()).outcome, "failed");
  endpoint.host.addDomain(new SyntheticDomain(2, endpoint.shape));
  await endpoint.startDaemon();
  for (;;) {
    const { samples, outcome } = await endpoint.cycle();
    if (outcome !== "collected") continue;
    assert.equal(samples.length, 2);
    for (const one of samples) assert.ok(!("started_s" in fields(one)));
    return;
  }
});

test("a run that has the id of an old one after a restart of the daemon has no start; a run that goes on keeps its own", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { domains: 1, settings: { needs: needsOf(FAMILIES) } });
  const started = async (name: string): Promise<unknown> => fields(await endpoint.sample(name))["started_s"];
  await endpoint.sample();
  for (const index of [2, 3]) endpoint.host.addDomain(new SyntheticDomain(index, endpoint.shape));
  const bornS = BigInt(Math.floor(endpoint.clock.now() / 1000));
  assert.equal(await started("vm-002"), bornS);
  await endpoint.stopDaemon();
  const fresh = endpoint.domain("vm-003");
  const info = fresh.info.bind(fresh);
  fresh.info = (seconds) => ({ ...info(seconds), cpuTimeNs: 5n });
  await endpoint.startDaemon();
  assert.equal(await started("vm-002"), bornS);
  assert.equal(await started("vm-003"), undefined);
});

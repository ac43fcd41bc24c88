import assert from "node:assert/strict";
import { test } from "node:test";
import { FAMILY_NAMES, MEASUREMENT_FIELDS, RAW_GROUP_NAMES, TAGS } from "../../../src/contract.ts";
import { RawTypes } from "../../../src/measurement/raw-types.ts";
import { needsOf } from "../../../src/measurement/registry.ts";
import { parseLines } from "../../../scripts/demo/line-protocol-parser.ts";
import { VmSummer } from "../../../src/collection/vm-sums.ts";
import type { VmReport } from "../../../src/collection/vm-report.ts";
import { Encoder } from "../../../src/measurement/encoder.ts";
import { newLineCounters } from "../../../src/measurement/line-protocol.ts";
import { readHostStats } from "../../../src/node/host-stats.ts";
import { simulateEvents } from "../../../src/simulator/synthetic-events.ts";
import { ALL, points } from "../../support/encode.ts";
import { SimulatedEndpoint } from "../../support/simulated-endpoint.ts";

/** The lines about the agent itself. */
const WITHOUT_SIMULATOR = "vm_agent";
const AGENT = {
  ...{ cycleMs: 1, cycles: 1, skippedTicks: 0, lines: 1, queuedLines: 0, droppedLines: 0, rejectedLines: 0 },
  ...{ rssKib: 1, cpuMs: 1 },
};
/** What a cluster adds. */
const VMI_FACTS = {
  ...{ uid: "u", pod: "p", instanceType: "u1.medium", preference: "fedora", guestOs: "Fedora", phase: "Running" },
  ...{ cpuRequestMilli: 500, cpuLimitMilli: 2_000, memoryRequestKib: 1_048_576, memoryLimitKib: 2_097_152 },
  ...{ isMigratable: true, isLauncherOutdated: false, isAgentConnected: true, addresses: { default: "10.0.2.2" } },
};

test("a simulated daemon has a value for every field of every family", async (t) => {
  const needs = needsOf(FAMILY_NAMES, RAW_GROUP_NAMES);
  const vm = {
    ...{ name: "web", namespace: "shop", startedS: 1_600_000_000 },
    ...{ claims: { rootdisk: "web-root" }, facts: VMI_FACTS },
  };
  const reports: VmReport[] = [];
  const onReport = (report: VmReport): void => {
    reports.push(report);
  };
  const endpoint = await SimulatedEndpoint.start(t, { domains: 1, settings: { needs, onReport }, identify: () => vm });
  endpoint.host.cgroups = false;
  // KubeVirt names volumes and networks by aliases.
  endpoint.host.adjustXml = (_name, xml) =>
    xml
      .replace("<target dev='vda'", "<alias name='ua-rootdisk'/>$&")
      .replace("<target dev='vnet0'", "<alias name='ua-default'/>$&");
  const samples = [await endpoint.sample("web"), await endpoint.sample("web")];
  const raw = { groups: RAW_GROUP_NAMES, families: FAMILY_NAMES, tags: TAGS, types: new RawTypes() };
  const written = points(samples, { families: FAMILY_NAMES, raw });
  const happening = new AbortController();
  const happened = simulateEvents(endpoint.host, endpoint.clock, happening.signal);
  for (let cycles = 0; cycles < 16; cycles++) await endpoint.cycle();
  happening.abort();
  await happened;
  const encoder = new Encoder({ ...ALL, families: FAMILY_NAMES }, newLineCounters(), () => undefined);
  for (const report of reports) encoder.encodeReport(report);
  const sums = new VmSummer(true);
  sums.add({ outcome: "collected", samples, stuck: [] });
  const { versions: libvirt, qemuVersions: qemu = [] } = endpoint.source.stats;
  const node = { timestampMs: 1, vms: sums.sums, host: await readHostStats(), versions: { libvirt, qemu } };
  encoder.encodeNode({ ...node, agent: AGENT }, new Set(["Node"]));
  written.push(...parseLines(Buffer.from(encoder.take().bytes).toString()));
  const fields = new Set(
    written.flatMap(({ measurement, fields: own }) => [...own.keys()].map((field) => `${measurement}.${field}`)),
  );
  const missing = Object.entries(MEASUREMENT_FIELDS)
    .filter(([measurement]) => measurement !== WITHOUT_SIMULATOR)
    .flatMap(([measurement, own]) => Object.keys(own).map((field) => `${measurement}.${field}`))
    .filter((field) => !fields.has(field));
  assert.deepEqual(missing, []);
  assert.ok(fields.has("vm_raw.path"));
});

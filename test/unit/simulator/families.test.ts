import assert from "node:assert/strict";
import { test } from "node:test";
import { FAMILY_NAMES, MEASUREMENT_FIELDS, RAW_GROUP_NAMES, TAGS } from "../../../src/contract.ts";
import { RawTypes } from "../../../src/measurement/raw-types.ts";
import { needsOf, NODE_MEASUREMENTS } from "../../../src/measurement/registry.ts";
import { parseLines } from "../../../scripts/demo/line-protocol-parser.ts";
import type { VmReport } from "../../../src/collection/vm-report.ts";
import { Encoder } from "../../../src/measurement/encoder.ts";
import { newLineCounters } from "../../../src/measurement/line-protocol.ts";
import { simulateEvents } from "../../../src/simulator/synthetic-events.ts";
import { ALL, points } from "../../support/encode.ts";
import { SimulatedEndpoint } from "../../support/simulated-endpoint.ts";

/** Fields that come from a VMI, or that the XML of a simulated VM does not have. */
const WITHOUT_VALUE =
  /^vm_info\.(uid|pod|instance_type|preference|guest_os|phase|(cpu|memory)_\w+_(milli|kb)|migratable|launcher_outdated|agent_connected|pinned_vcpus|affinity)$|^vm_disk_info\.(pvc|iops_limit|bytes_limit)$|^vm_nic_info\.(source|address)$/;

test("a simulated VM has a value for every field of every family", async (t) => {
  const needs = needsOf(FAMILY_NAMES, RAW_GROUP_NAMES);
  const vm = { name: "web", namespace: "shop", startedS: 1_600_000_000 };
  const reports: VmReport[] = [];
  const onReport = (report: VmReport): void => {
    reports.push(report);
  };
  const endpoint = await SimulatedEndpoint.start(t, { domains: 1, settings: { needs, onReport }, identify: () => vm });
  endpoint.host.cgroups = false;
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
  written.push(...parseLines(Buffer.from(encoder.take().bytes).toString()));
  const fields = new Set(
    written.flatMap(({ measurement, fields: own }) => [...own.keys()].map((field) => `${measurement}.${field}`)),
  );
  const ofNode = NODE_MEASUREMENTS.map(({ name }) => name);
  const missing = Object.entries(MEASUREMENT_FIELDS)
    .filter(([measurement]) => !ofNode.includes(measurement))
    .flatMap(([measurement, own]) => Object.keys(own).map((field) => `${measurement}.${field}`))
    .filter((field) => !fields.has(field) && !WITHOUT_VALUE.test(field));
  assert.deepEqual(missing, []);
  assert.ok(fields.has("vm_raw.path"));
});

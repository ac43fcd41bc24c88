import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { test } from "node:test";
import type { NodeSample } from "../../../src/collection/node-sample.ts";
import type { Family } from "../../../src/contract.ts";
import { newLineCounters } from "../../../src/measurement/line-protocol.ts";
import { Encoder, type EncoderOptions } from "../../../src/measurement/encoder.ts";
import { ALL } from "../../support/encode.ts";
import { parseLines } from "../../../scripts/demo/line-protocol-parser.ts";

const SAMPLE: NodeSample = {
  timestampMs: 1_699_900_000_000,
  vms: {
    ...{ vms: 12, running: 10, paused: 2, stuck: 1, vcpus: 40 },
    memoryMaxKib: 50_331_648n,
    memoryRssKib: 41_943_040n,
    cpuTimeNs: 9_000_000_000_000n,
  },
  host: {
    cpus: 32,
    userNs: 7_000_000_000_000n,
    kernelNs: 2_000_000_000_000n,
    idleNs: 90_000_000_000_000n,
    iowaitNs: 500_000_000_000n,
    memoryKib: 131_072_000n,
    freeKib: 4_194_304n,
  },
  versions: { libvirt: ["9.0.0"], qemu: ["7.2.0"] },
  agent: {
    ...{
      cycleMs: 137,
      cycles: 720,
      skippedTicks: 1,
      lines: 57_600,
      queuedLines: 80,
      droppedLines: 0,
      rejectedLines: 0,
    },
    rssKib: 81_920,
    cpuMs: 12_345,
  },
};

function encodeNode(
  one: NodeSample,
  families: readonly Family[] = ["Node", "Agent"],
  options: Partial<EncoderOptions> = {},
): string {
  const encoder = new Encoder({ ...ALL, node: "node-1", ...options, families }, newLineCounters(), () => undefined);
  encoder.encodeNode(one, new Set<Family>(["Node", "Agent"]));
  return Buffer.from(encoder.take().bytes).toString();
}

test("a node has one line about its VMs and itself, and one about the agent, without tags of a VM", () => {
  assert.equal(encodeNode(SAMPLE), readFileSync("test/golden/lines/node.lp", "utf8"));
});

test("each family has its own line, with the prefix and the static tags", () => {
  const options = { measurementPrefix: "kv_", staticTags: { site: "b" } };
  assert.match(encodeNode(SAMPLE, ["Agent"], options), /^kv_vm_agent,node=node-1,site=b cycle_ms=137i,[^\n]*\n$/);
  assert.equal(encodeNode(SAMPLE, ["Metrics"]), "");
});

test("what is not known about the node is left out", () => {
  const unknown = { ...SAMPLE, vms: undefined, versions: { libvirt: [], qemu: [] }, host: undefined };
  assert.match(encodeNode(unknown), /^vm_agent,node=node-1 [^\n]*rejected_lines=0i,rss_kb=[^\n]*\n$/);
  const [vms, running, paused, stuck] = [12, 10, 2, 1];
  const none = { vcpus: undefined, memoryMaxKib: undefined, memoryRssKib: undefined, cpuTimeNs: undefined };
  const bare = {
    ...SAMPLE,
    vms: { vms, running, paused, stuck, ...none },
    host: undefined,
    versions: { libvirt: [], qemu: [] },
  };
  const [line] = parseLines(encodeNode(bare, ["Node"]));
  assert.deepEqual([...(line?.fields.keys() ?? [])], ["vms", "vms_running", "vms_paused", "vms_stuck"]);
});

test("the versions of many daemons are one text of limited length", () => {
  const libvirt = Array.from({ length: 100 }, (_, minor) => `9.${minor}.0`);
  const [line] = parseLines(encodeNode({ ...SAMPLE, versions: { libvirt, qemu: ["7.2.0", "8.0.0"] } }, ["Node"]));
  assert.equal(line?.fields.get("qemu_version"), "7.2.0 8.0.0");
  assert.equal(String(line.fields.get("libvirt_version")).length, 256);
});

test("without the name of a node the lines have the name of the host, so that two hosts have two series", () => {
  const lines = parseLines(encodeNode(SAMPLE, ["Node", "Agent"], { node: undefined }));
  assert.deepEqual(
    lines.map(({ tags }) => tags.get("node")),
    [hostname(), hostname()],
  );
});

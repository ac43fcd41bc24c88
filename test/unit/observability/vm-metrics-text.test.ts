import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import type { DomainSample } from "../../../src/collection/domain-sample.ts";
import { LatestSamples, type LatestVm } from "../../../src/collection/latest-samples.ts";
import { DISK_DETAILS } from "../../../src/collection/libvirt/disk-details.ts";
import { GUEST_MEMORY } from "../../../src/collection/libvirt/guest-memory.ts";
import { VCPUS } from "../../../src/collection/libvirt/vcpus.ts";
import { vmMetricsText } from "../../../src/observability/vm-metrics-text.ts";
import { exposedValues } from "../../support/exposition.ts";
import { NASTY } from "../../support/nasty-texts.ts";
import { disk, nic, sample } from "../../support/samples.ts";

function latest(samples: readonly DomainSample[]): readonly LatestVm[] {
  const known = new LatestSamples();
  const rest = { errors: [], tolerated: [], stuck: [], busy: [], slow: [] };
  known.record({ endpoint: "/sock", outcome: "collected", samples, ...rest }, undefined);
  return known.vms;
}

function textOf(samples: readonly DomainSample[], maxBytes?: number, node: string | undefined = "node1"): string {
  return [...vmMetricsText(latest(samples), node, maxBytes)].join("");
}

function vm(name: string, overrides: Partial<DomainSample> = {}): DomainSample {
  return sample({ identity: { id: 1, uuid: name, name, namespace: "shop" }, ...overrides });
}

/** A VM with what the families that are off by default tell. */
function completeVm(): DomainSample {
  const details = {
    ...disk("vda", { volume: "rootdisk" }),
    ...{ readNs: 1_500_000_000n, writeNs: 2_000_000_000n, flushRequests: 3n, flushNs: 250_000_000n },
    ...{ capacity: 1n, allocation: 1n, physical: 1n, image: [], claim: undefined },
    ...{ readLatencyUs: undefined, writeLatencyUs: undefined, flushLatencyUs: undefined },
  };
  const guest = {
    isReported: true,
    unused: 500_000n,
    lastUpdateS: 1n,
    hugePagesAllocated: undefined,
    hugePagesFailed: undefined,
  };
  const vcpu = { number: 0, state: 1, cpuTimeNs: 4_270_000_000n, cpu: 3, waitNs: 0n, delayNs: 2_535_175_041n };
  return vm("web", {
    nics: [nic("tap0", { network: "default" }), nic("tap1")],
    disks: [disk("vda", { volume: "rootdisk" })],
    readings: new Map<object, unknown>([
      [DISK_DETAILS, [details]],
      [GUEST_MEMORY, guest],
      [VCPUS, [vcpu, { ...vcpu, number: 1, state: 7, waitNs: undefined, delayNs: undefined }]],
    ]),
  });
}

test("the values of a VM equal the recorded text", () => {
  assert.equal(textOf([completeVm()]), readFileSync("test/golden/observability/vms.prom", "utf8"));
});

test("a VM of a host without a name and without Kubernetes has the label name only", () => {
  const text = [...vmMetricsText(latest([sample()]), undefined)].join("");
  assert.match(text, /^kubevirt_vmi_cpu_usage_seconds_total\{name="web"\} 9$/m);
});

test("the memory of a VM with a balloon is what KubeVirt reports, and not its maximum", () => {
  const { memory } = sample();
  const text = textOf([vm("web", { memory: { ...memory, maximum: 4_194_304n, current: 1_048_576n } })]);
  const values = exposedValues(text).filter(({ name }) => /memory_(?:domain|actual_balloon)_bytes$/.test(name));
  assert.deepEqual(
    values.map(({ name, value }) => [name, value]),
    ["domain", "actual_balloon"].map((what) => [`kubevirt_vmi_memory_${what}_bytes`, 2 ** 30]),
  );
});

test("a value that libvirt did not report has no line, and a metric without lines no header", () => {
  const text = textOf([vm("web", { nics: undefined, cpu: { count: 1, time: 0n, user: undefined, system: 1n } })]);
  assert.doesNotMatch(text, /network|user_usage|vcpu/);
  assert.match(text, /cpu_usage_seconds_total\{.*\} 0$/m);
});

test("VMs and devices with the same labels are written once", () => {
  const web = vm("web", { nics: [nic("a", { network: "x" }), nic("b", { network: "x" })] });
  assert.equal(exposedValues(textOf([web, web])).length, exposedValues(textOf([web])).length);
});

test("names that Prometheus cannot hold are cut, printable and escaped", () => {
  const name = `"\\${NASTY}`.repeat(100);
  const values = exposedValues(textOf([vm(name, { nics: [nic(name)], disks: [disk('a\\"b')] })], undefined, name));
  for (const { labels } of values)
    for (const text of Object.values(labels)) assert.ok(text.length <= 256 && !/[\p{Cc}\p{Cs}]/u.test(text), text);
  assert.ok(values.some(({ labels }) => labels["drive"] === 'a\\"b'));
});

const TEXT = fc.string({ unit: "binary", maxLength: 300 });
const NUMBER = fc.option(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { nil: undefined });

test("any names and numbers make a text that Prometheus can read", () => {
  const arbitraryVm = fc
    .record({ name: TEXT, namespace: TEXT, devices: fc.array(TEXT, { maxLength: 4 }), value: NUMBER })
    .map(({ name, namespace, devices, value }) =>
      sample({
        identity: { id: 1, uuid: name, name, namespace },
        cpu: { count: 1, time: value, user: value, system: undefined },
        nics: devices.map((device) => nic(device, { rxBytes: value })),
        disks: devices.map((device) => disk(device, { volume: name, readBytes: value })),
      }),
    );
  fc.assert(
    fc.property(fc.array(arbitraryVm, { maxLength: 5 }), TEXT, (vms, node) => {
      const values = exposedValues(textOf(vms, undefined, node));
      const given = new Set(vms.flatMap(({ cpu: { time } }) => (time === undefined ? [] : [Number(time) / 1e9])));
      for (const { name, value } of values)
        if (name === "kubevirt_vmi_cpu_usage_seconds_total") assert.ok(given.has(value));
    }),
  );
});

test("a VM with many devices loses devices, not the values of other VMs", () => {
  const huge = vm("huge", { nics: Array.from({ length: 384 }, (_, index) => nic(`${"x".repeat(200)}${index}`)) });
  const small = Array.from({ length: 20 }, (_, index) => vm(`small-${index}`));
  const maxBytes = 200_000;
  const text = textOf([huge, ...small], maxBytes);
  assert.ok(text.length <= 1.2 * maxBytes, `${text.length}`);
  const of = (values: ReturnType<typeof exposedValues>, name: string) =>
    values.filter(({ labels }) => labels["name"] === name).length;
  const [cut, whole] = [exposedValues(text), exposedValues(textOf([huge, ...small]))];
  for (const { identity } of small) assert.equal(of(cut, identity.name), of(whole, identity.name));
  assert.ok(of(cut, "huge") > 50 && of(cut, "huge") < of(whole, "huge"));
});

test("with 2,048 VMs no step makes more than a thousand lines", () => {
  const devices = { nics: [nic("a"), nic("b")], disks: [disk("vda"), disk("vdb"), disk("vdc")] };
  let lines = 0;
  for (const piece of vmMetricsText(latest(Array.from({ length: 2_048 }, (_, n) => vm(`vm-${n}`, devices))), "node1")) {
    const more = piece.split("\n").length - 1;
    assert.ok(more <= 1_100, `${more}`);
    lines += more;
  }
  assert.ok(lines > 2_048 * 40, `${lines}`);
});

import { REJECTION_REASONS } from "../../src/budget.ts";
import { LibvirtError } from "../../src/libvirt/errors.ts";
import { Histogram } from "../../src/lib/histogram.ts";
import { LoadHistory } from "../../src/collection/load-history.ts";
import type { DomainSample } from "../../src/collection/domain-sample.ts";
import type { EffectiveConfig } from "../../src/config/resolve.ts";
import type { AgentView, EndpointView, TargetView } from "../../src/observability/agent-view.ts";
import type { WatchView } from "../../src/observability/watch-view.ts";
import { pastOf } from "./past-loads.ts";
import { disk, nic, sample } from "./samples.ts";

const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5);
const MONOTONIC_MS = 100_000_000;
const VMS = { namespaces: {}, vmSelector: {} };

const CONFIG: EffectiveConfig = {
  state: "Active",
  intervalMs: 5_000,
  timeoutMs: 4_000,
  families: ["Metrics", "Features", "Devices", "Totals"],
  onMissing: "Zero",
  freshness: "EveryCycle",
  maxConcurrentEndpoints: 16,
  deviceCacheTtlMs: 300_000,
  vms: { namespaces: { exclude: ["kube-*"] }, vmSelector: {} },
  staticTags: { site: "berlin" },
  vmLabels: [{ key: "example.com/tier", tag: "tier" }],
  vmAnnotations: [],
  measurementPrefix: "",
  buffer: { maxBytes: 512 * 2 ** 20, maxAgeMs: 86_400_000 },
  targets: [
    {
      name: "central",
      url: "https://influxdb.example.com:8086",
      protocol: { version: "v2", org: "example", bucket: "telemetry" },
      credentials: { kind: "none" },
      tls: { mode: "Verify" },
      headers: [],
      flush: { intervalMs: 1_000, maxLines: 5_000, maxBytes: 2 ** 20 },
      timeoutMs: 10_000,
      gzip: true,
      maxDrainLinesPerSecond: 0,
      families: ["Metrics", "Totals"],
      vms: VMS,
    },
  ],
};

/** Returns two samples of a VM, five seconds apart. */
export function vm(
  namespace: string,
  name: string,
  id: number,
  { cpuPercent = 12, readBytes = 0, writtenBytes = 0, receivedBytes = 0, sentBytes = 0, memoryMiB = 768 } = {},
): { readonly before: DomainSample; readonly after: DomainSample } {
  const base = sample();
  const identity = { id, uuid: `00000000-0000-4000-8000-${String(id).padStart(12, "0")}`, name, namespace };
  const memory = { ...base.memory, current: BigInt(memoryMiB * 1024), rss: BigInt(memoryMiB * 700) };
  const before = { ...base, identity, memory };
  const after = {
    ...before,
    memory: { ...memory, monotonicMs: memory.monotonicMs + 5_000 },
    cpu: { ...base.cpu, time: (base.cpu.time ?? 0n) + BigInt(Math.round(cpuPercent * 5e7)) },
    nics: [
      nic("tap0", { rxBytes: 1_000n + BigInt(receivedBytes) * 5n, txBytes: 2_000n + BigInt(sentBytes) * 5n }),
      nic("tap1"),
    ],
    disks: [
      disk("vda", {
        readBytes: 524_288n + BigInt(readBytes) * 5n,
        writeBytes: 1_048_576n + BigInt(writtenBytes) * 5n,
      }),
    ],
  };
  return { before, after };
}

export function launcher(
  podUid: string,
  vms: readonly ReturnType<typeof vm>[],
  change: Partial<EndpointView> = {},
): EndpointView {
  return {
    endpoint: `/p/${podUid}/volumes/kubernetes.io~empty-dir/libvirt-runtime/virtqemud-sock`,
    state: "up",
    sinceMs: MONOTONIC_MS - 7_200_000,
    samples: vms.map(({ after }) => after),
    before: vms.map(({ before }) => before),
    details: new Map(),
    stuck: [],
    busy: [],
    error: undefined,
    ...change,
  };
}

export function targetView(
  name: string,
  change: Partial<TargetView["record"]> = {},
  more: Partial<TargetView> = {},
): TargetView {
  return {
    name,
    url: `https://${name}.example.com:8086`,
    record: {
      state: "Delivering",
      sinceMs: NOW_MS - 93_000_000,
      reason: undefined,
      detail: undefined,
      deliveredLines: 1_488_000,
      rejectedLines: 0,
      droppedLines: 0,
      requests: 18_600,
      sentBytes: 105_648_000,
      consecutiveFailures: 0,
      lastSuccessMs: NOW_MS - 1_000,
      batchLines: 5_000,
      ...change,
    },
    backlog: { lines: 0, bytes: 0 },
    oldestAgeMs: undefined,
    losses: { cap: 0, age: 0, disk: 0, corrupt: 0 },
    ...more,
  };
}

export function watchOf(resource: string, objects: number, staleMs = 21_000): WatchView {
  return {
    resource,
    objects,
    staleMs,
    counters: { lists: 1, watches: 214, reconnects: 2, events: 341, missedFoundByRelist: 0 },
    fault: undefined,
  };
}

/** Returns the view of a healthy agent in a cluster. */
export function agentView(change: Partial<AgentView> = {}): AgentView {
  const durations = new Histogram([0.01, 0.1, 1]);
  for (const seconds of [0.009, 0.011, 0.01, 0.012]) durations.observe(seconds);
  const eventLoopLag = new Histogram([0.01, 0.1]);
  eventLoopLag.observe(0.002);
  return {
    process: {
      version: "1.2.3",
      nodeVersion: "24.0.0",
      startedMs: NOW_MS - 93_000_000,
      cpuSeconds: 180.5,
      residentBytes: 68 * 2 ** 20,
      heapBytes: 20 * 2 ** 20,
      externalBytes: 4 * 2 ** 20,
      openFiles: 31,
      eventLoopLag,
    },
    node: "worker-7",
    nowMs: NOW_MS,
    monotonicMs: MONOTONIC_MS,
    config: { active: CONFIG, source: "default", generation: 4, fault: undefined },
    cycles: {
      cycles: 18_600,
      incomplete: 3,
      skippedTicks: 1,
      durations,
      progressMs: MONOTONIC_MS - 2_000,
      patienceMs: 70_000,
    },
    libvirt: {
      endpoints: [launcher("6b1f3c1e-0d5a-4c55-8c57-c0b2a7a1d001", [vm("shop", "web-1", 1)])],
      versions: ["10.5.0"],
      fault: undefined,
      blockedCalls: 0,
      calls: 74_412,
      errors: new Map([["E_LIBVIRT_CLOSED", 2]]),
      rejections: new Map(REJECTION_REASONS.map((reason) => [reason, 0])),
    },
    history: new LoadHistory(),
    lines: { clampedIntegers: 0, omittedFloats: 0, sanitizedTags: 0, omittedParameters: 0 },
    leftOutLines: 0,
    targets: [targetView("central")],
    spool: {
      frames: 3,
      bytes: 21_000,
      appendedLines: 1_488_000,
      appendedBytes: 109_000_000,
      droppedLines: 0,
      losses: { cap: 0, age: 0, disk: 0, corrupt: 0 },
      disk: {
        segments: 1,
        syncs: 18_600,
        syncMs: 9_000,
        unsavedLines: 0,
        orphanedLines: 0,
        corruptFrames: 0,
        truncatedBytes: 0,
        unsupportedFiles: 0,
        writeErrors: { ENOSPC: 2 },
        freeBytes: 40 * 2 ** 30,
      },
    },
    rejected: { keptLines: 7, lostLines: 2, fileBytes: 1_200 },
    watches: [watchOf("TelemetryConfigs", 2), watchOf("VMIs with kubevirt.io/nodeName", 3)],
    ...change,
  };
}

/** Returns the view of an agent with several faults. */
export function troubledView(): AgentView {
  const uid = (last: number): string => `6b1f3c1e-0d5a-4c55-8c57-c0b2a7a1d00${last}`;
  const well = agentView();
  const endpoints = [
    launcher(uid(1), [
      vm("shop", "web-1", 1, { cpuPercent: 183.4, receivedBytes: 910_000, sentBytes: 5_400_000, memoryMiB: 4_096 }),
    ]),
    launcher(uid(2), [
      vm("shop", "web-2", 1, { cpuPercent: 92.1, receivedBytes: 640_000, sentBytes: 4_900_000, memoryMiB: 4_096 }),
    ]),
    launcher(uid(3), [
      vm("shop", "orders-db", 1, {
        cpuPercent: 41.7,
        readBytes: 12_400_000,
        writtenBytes: 3_100_000,
        receivedBytes: 220_000,
        sentBytes: 480_000,
        memoryMiB: 16_384,
      }),
    ]),
    launcher(
      uid(4),
      [vm("batch", "nightly", 1, { cpuPercent: 2.5, receivedBytes: 2_100, sentBytes: 900, memoryMiB: 2_048 })],
      {
        state: "stuck",
        stuck: ["batch_nightly"],
        sinceMs: well.monotonicMs - 65_000,
      },
    ),
    launcher(uid(5), [], {
      state: "failed",
      sinceMs: well.monotonicMs - 310_000,
      error: new LibvirtError("E_LIBVIRT_TIMEOUT", "libvirt did not answer CONNECT_LIST_ALL_DOMAINS within 4000 ms"),
    }),
    launcher(uid(6), [], { state: "absent", sinceMs: well.monotonicMs - 4_000 }),
  ];
  return {
    ...well,
    history: pastOf(endpoints),
    config: {
      ...well.config,
      fault: { reason: "SecretNotFound", message: "Secret influxdb-archive has no key token: look into its namespace" },
    },
    libvirt: { ...well.libvirt, endpoints },
    targets: [
      targetView("central"),
      targetView(
        "archive",
        {
          state: "Failing",
          sinceMs: well.nowMs - 7_260_000,
          reason: "TargetUnauthorized",
          detail: "HTTP 401 unauthorized access (check the target's credentials and their right to write)",
          deliveredLines: 1_371_840,
          rejectedLines: 12,
          consecutiveFailures: 133,
          lastSuccessMs: well.nowMs - 7_261_000,
        },
        { backlog: { lines: 116_160, bytes: 8_247_360 }, oldestAgeMs: 7_260_000 },
      ),
    ],
    spool: { ...well.spool, bytes: 8_270_000, frames: 1_452 },
  };
}

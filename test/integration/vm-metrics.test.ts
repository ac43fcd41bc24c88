import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before, test, type TestContext } from "node:test";
import { writeFile } from "node:fs/promises";
import { parse } from "yaml";
import { docBlocks } from "../support/docs.ts";
import { exposedValues } from "../support/exposition.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { RunningAgent, target1 } from "./support/agent.ts";
import { until } from "./support/process.ts";
import { Prometheus } from "./support/prometheus.ts";
import { promtool } from "./support/promtool.ts";
import { RecordingSink } from "./support/recording-sink.ts";
import { SimulatedNode } from "./support/simulated-node.ts";

const RULES = "test/fixtures/kubevirt-rules.yaml";
const VMS = { shop_web: 1, shop_db: 2, lab_batch: 3 };
const NAMES = [
  ["lab", "batch"],
  ["shop", "db"],
  ["shop", "web"],
];

const resources = new AsyncDisposableStack();
let url: string;
let prometheus: Prometheus;
let fromS: number;

before(async () => {
  const sink = resources.use(await RecordingSink.start());
  const node = resources.use(await SimulatedNode.start(VMS));
  const agent = resources.use(
    await RunningAgent.start({
      targets: target1(sink),
      spec: "    families: [Metrics, Devices, Totals, Disks, Memory, Vcpus]",
      sockets: [],
      args: ["--pods-dir", node.podsDir, "--node-name", "node-1", "--listen", "127.0.0.1:0", "--vm-metrics"],
    }),
  );
  const address = await agent.address();
  url = `http://${address}/metrics/vms`;
  await agent.run(2);
  // The namespace of the agent's pod, as with the operator: that of the VM stays.
  const labels = { namespace: "telemetry", node: "other" };
  const job = { address, labels, metricsPath: "/metrics/vms", honorLabels: true };
  prometheus = resources.use(await Prometheus.start({ vms: job }, RULES));
  fromS = Date.now() / 1000;
});

after(() => resources.disposeAsync());

/** Resolves to the last value of each VM, when there are values of all. */
function lastOf(expr: string): Promise<readonly (readonly [vm: readonly (string | undefined)[], value: number])[]> {
  return until(async () => {
    const series = await prometheus.range(expr, fromS, Date.now() / 1000);
    if (series.length < NAMES.length) return undefined;
    return series
      .map(({ metric, values }) => [[metric["namespace"], metric["name"]], Number(values.at(-1)?.[1])] as const)
      .sort(([[, one = ""]], [[, other = ""]]) => (one < other ? -1 : 1));
  }, expr);
}

test("Prometheus scrapes the values of VMs, and they keep their labels", async () => {
  const series = await until(async () => {
    const found = await prometheus.range("kubevirt_vmi_cpu_usage_seconds_total", fromS, Date.now() / 1000);
    return found.length === NAMES.length ? found : undefined;
  }, "the CPU of three VMs");
  for (const { metric } of series) assert.partialDeepStrictEqual(metric, { job: "vms", node: "node-1" });
  assert.deepEqual(series.map(({ metric }) => [metric["namespace"], metric["name"]]).sort(), NAMES);
});

test("a page has the values of all families, and Prometheus' own tool can read it", async () => {
  const text = await (await fetch(url)).text();
  const names = new Set(exposedValues(text).map(({ name }) => name));
  // The simulator has no times of flushes.
  assert.ok(names.size >= 33, [...names].join(" "));
  const { output } = await promtool(["check", "metrics"], text);
  // KubeVirt's names of gauges are what they are.
  assert.doesNotMatch(output, /error while linting|parse/i, output);
});

test("KubeVirt's recording rules have a value for every VM", async () => {
  const { groups } = parse(readFileSync(RULES, "utf8")) as {
    readonly groups: readonly { readonly rules: readonly { readonly record?: string }[] }[];
  };
  for (const { record } of groups.flatMap(({ rules }) => rules)) {
    if (record === undefined) continue;
    const values = await lastOf(record);
    assert.deepEqual(
      values.map(([vm]) => vm),
      NAMES,
      record,
    );
    for (const [, value] of values) assert.ok(Number.isFinite(value), record);
    if (record.includes("headroom")) for (const [, value] of values) assert.ok(value > 0.1 && value < 1, `${value}`);
  }
});

test("Prometheus accepts the configuration in docs/prometheus.md", async (t) => {
  const file = path.join(await temporaryDirectory(t), "prometheus.yml");
  const [block] = docBlocks("docs/prometheus.md").filter(({ language }) => language === "yaml");
  await writeFile(file, block?.text ?? assert.fail());
  const { ok, output } = await promtool(["check", "config", file]);
  assert.ok(ok, output);
});

/** Returns the input of a test of rules for a VM with little memory. The series are those of the page. */
function lowMemory(majorFaults: string): object[] {
  const labels = 'name="web", namespace="shop", node="node-1"';
  return [
    { series: `kubevirt_vmi_memory_available_bytes{${labels}}`, values: "1e9x90" },
    { series: `kubevirt_vmi_memory_usable_bytes{${labels}}`, values: "1e7x90" },
    { series: `kubevirt_vmi_memory_pgmajfault_total{${labels}}`, values: majorFaults },
    { series: `kubevirt_vmi_memory_swap_in_traffic_bytes{${labels}}`, values: "0x90" },
    { series: `kubevirt_vmi_memory_swap_out_traffic_bytes{${labels}}`, values: "0x90" },
    { series: 'kubevirt_vmi_info{name="web", namespace="shop", node="node-1", phase="running"}', values: "1x90" },
  ];
}

async function checkAlerts(t: TestContext, majorFaults: string, firing: readonly string[]): Promise<void> {
  const file = path.join(await temporaryDirectory(t), "cases.yaml");
  const expected = [{ exp_labels: { name: "web", namespace: "shop", vm: "web" } }];
  const alerts = ["KubeVirtVMGuestMemoryPressure", "KubeVirtVMGuestMemoryAvailableLow"];
  const content = {
    rule_files: [path.resolve(RULES)],
    tests: [
      {
        interval: "1m",
        input_series: lowMemory(majorFaults),
        alert_rule_test: alerts.map((alertname) => ({
          eval_time: "80m",
          alertname,
          exp_alerts: firing.includes(alertname) ? expected : [],
        })),
      },
    ],
  };
  await writeFile(file, JSON.stringify(content));
  const { ok, output } = await promtool(["test", "rules", file]);
  assert.ok(ok, output);
}

test("KubeVirt's alerts about memory fire for a guest without free memory", async (t) => {
  await checkAlerts(t, "0+600x90", ["KubeVirtVMGuestMemoryPressure"]);
  await checkAlerts(t, "0x90", ["KubeVirtVMGuestMemoryAvailableLow"]);
});

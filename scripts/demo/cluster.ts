import type { Row } from "../../test/integration/support/csv.ts";
import { Influxd1 } from "../../test/integration/support/influxd1.ts";
import { until } from "../../test/integration/support/process.ts";
import { ChartCluster } from "../../test/integration/support/node/chart-cluster.ts";
import { launcherArchive } from "../../test/integration/support/node/launcher-image.ts";
import { LauncherVm } from "../../test/integration/support/node/launcher-vm.ts";
import { applyConfig, target } from "../../test/integration/support/telemetry-config.ts";
import { longRun } from "../long-run.ts";
import { alignedTable } from "./table.ts";

const VMS = ["web", "db"];
/** Of the latest points, which are shown. */
const CYCLES = 3;
const COLUMNS = ["time", "namespace", "name", "node", "state", "cpu_count", "memory_used_kb", "cputime_ns"];
/** The columns that are text. */
const TEXTS = 4;
const QUERY = `SELECT ${COLUMNS.slice(1)
  .map((column) => `"${column}"`)
  .join(", ")} FROM "vm_metrics" ORDER BY time DESC LIMIT ${VMS.length * CYCLES}`;

/**
 * Shows the agent in a real cluster on this machine: a node with a kubelet and containerd, the chart, VMs in launcher pods, and
 * their points in an InfluxDB. Removes everything at the end, also after SIGINT. Ends the process.
 */
export function clusterDemo(): Promise<never> {
  return longRun(["scripts/demo/cluster.ts"], async (resources) => {
    const started = performance.now();
    const say = (text: string): void => {
      console.log(`\n[${((performance.now() - started) / 1000).toFixed(0)} s] ${text}`);
    };
    resources.defer(() => {
      say("everything is removed");
    });

    say("building the image; starting a control plane and a node with containerd and a kubelet");
    const cluster = resources.use(await ChartCluster.start());
    const show = async (command: string): Promise<void> => {
      console.log(`$ ${command}\n${await cluster.shell.run(command)}`);
    };
    await show("kubectl get nodes");

    say("installing the chart as docs/install.md says");
    await cluster.install();
    await show("kubectl --namespace kubevirt-telemetry get pods");

    say("starting an InfluxDB, and creating a TelemetryConfig with it as the target");
    const influx = resources.use(await Influxd1.start({ address: cluster.hostAddress }));
    await applyConfig(cluster.kube, "default", { targets: [target(influx, "influxdb")] });

    say(`starting VMs: ${VMS.join(", ")}`);
    await cluster.node.importImage(await launcherArchive(cluster.kube.directory));
    await Promise.all(VMS.map((name) => LauncherVm.start(cluster.kube, cluster.node, { namespace: "prod", name })));
    await show("kubectl --namespace prod get virtualmachineinstances,pods");

    say("waiting until the controller says that all nodes deliver");
    await show("kubectl wait --for=condition=Ready telemetryconfig/default --timeout=120s");
    await show("kubectl get telemetryconfigs,nodetelemetries");

    say("asking the InfluxDB for the latest points");
    const rows = await until(async () => {
      const rows = await influx.query(QUERY);
      const isComplete = VMS.every((vm) => rows.filter(({ name }) => name === vm).length === CYCLES);
      return isComplete ? rows : undefined;
    }, "points of all VMs in InfluxDB");
    const table = rows.map((row) => COLUMNS.map((column) => (column === "time" ? timeOf(row) : (row[column] ?? ""))));
    console.log(`> ${QUERY}\n${alignedTable([COLUMNS, ...table], TEXTS)}`);
    say("removing everything");
  });
}

/** Returns the time of a row, which is in nanoseconds. */
function timeOf({ time }: Row): string {
  return new Date(Number(time) / 1e6).toISOString();
}

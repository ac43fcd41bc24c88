// Shows the whole pipeline: real libvirt or the simulator, the agent, and a real InfluxDB or a sink. With --cluster, a real node with
// the chart and VMs in launcher pods. With --dashboard, a page with the dashboards. Ends by itself.
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { Sink } from "./demo/sink.ts";
import { domainTable } from "./demo/table.ts";
import type { Point } from "./demo/line-protocol-parser.ts";
import { STANDARD_SOCKETS } from "../src/discovery/libvirt-sockets.ts";
import { LibvirtClient } from "../src/libvirt/client.ts";
import { DOMAIN_FILTER } from "../src/libvirt/protocol.ts";
import { SimulatedHost } from "../src/simulator/simulated-host.ts";
import { SimulatorServer } from "../src/simulator/server.ts";

const { values } = parseArgs({
  options: {
    cycles: { type: "string", default: "5" },
    interval: { type: "string", default: "1s" },
    "influx-url": { type: "string" },
    database: { type: "string", default: "telemetry" },
    cluster: { type: "boolean", default: false },
    dashboard: { type: "boolean", default: false },
  },
});
const PROBE_MS = 2_000;

// Only these two need the sources of the tests.
if (values.cluster) await (await import("./demo/cluster.ts")).clusterDemo();
if (values.dashboard) {
  const { "influx-url": url, database } = values;
  await (await import("./demo/dashboard.ts")).dashboardDemo(url === undefined ? undefined : { url, database });
}

const directory = await mkdtemp(path.join(tmpdir(), "kubevirt-telemetry-demo-"));
try {
  process.exitCode = await demo();
} finally {
  await rm(directory, { recursive: true, force: true });
}

async function demo(): Promise<number> {
  await using resources = new AsyncDisposableStack();
  const socket = (await hostLibvirt()) ?? (await simulator(resources));
  const points: Point[] = [];
  const influx = await influxUrl();
  const url = influx ?? resources.use(await Sink.start((received) => points.push(...received))).url;
  console.log(
    `delivering to ${influx === undefined ? "an embedded sink that speaks InfluxDB's write API" : `InfluxDB at ${influx}`}\n`,
  );

  const failures = await runAgent(socket, url);
  if (points.length > 0) {
    console.log(`\n${domainTable(points)}`);
  }
  console.log(
    failures === 0 ? "\neverything was collected and delivered" : "\nthe agent failed, see its messages above",
  );
  return failures;
}

/** Resolves to the first standard socket whose daemon answers and has a running domain. */
async function hostLibvirt(): Promise<string | undefined> {
  for (const socket of STANDARD_SOCKETS) {
    try {
      using client = await LibvirtClient.open(socket, { deadlineMs: PROBE_MS });
      const domains = await client.listDomains(DOMAIN_FILTER.ACTIVE, { deadlineMs: PROBE_MS });
      console.log(`libvirt ${client.libvirtVersion} on ${socket} has ${domains.length} running domains`);
      if (domains.length > 0) return socket;
      console.log("it has nothing to collect");
    } catch {
      // Most hosts have at most one of the sockets.
    }
  }
  return undefined;
}

async function simulator(resources: AsyncDisposableStack): Promise<string> {
  const socket = path.join(directory, "libvirt-sock");
  resources.use(await SimulatorServer.start(socket, SimulatedHost.of(10, { nics: 2, disks: 3, seed: 1 })));
  console.log("collecting from the simulator: 10 domains with 2 NICs and 3 disks each");
  return socket;
}

async function influxUrl(): Promise<string | undefined> {
  if (values["influx-url"] !== undefined) return values["influx-url"];
  try {
    const answer = await fetch("http://localhost:8086/ping", { signal: AbortSignal.timeout(PROBE_MS) });
    return answer.headers.has("x-influxdb-version") ? "http://localhost:8086" : undefined;
  } catch {
    return undefined;
  }
}

/** Runs the agent as a user does, and prints a line for each cycle; resolves to its exit code. */
async function runAgent(socket: string, url: string): Promise<number> {
  const config = path.join(directory, "config.yaml");
  const tls = url.startsWith("http:") ? "Plaintext" : "Verify";
  await writeFile(
    config,
    `apiVersion: kubevirt-telemetry.io/v1alpha1
kind: TelemetryConfig
metadata:
  name: demo
spec:
  collection:
    interval: ${values.interval}
  targets:
    - name: influxdb
      url: ${url}
      tls:
        mode: ${tls}
      flush:
        interval: 100ms
      v1:
        database: ${values.database}
`,
  );
  const args = ["src/main.ts", "agent", "--config", config, "--cycles", values.cycles, "--libvirt-socket", socket];
  const agent = spawn("node", [...args, "--log-level", "debug"], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = new Promise<number>((resolve) =>
    agent.once("exit", (code) => {
      resolve(code ?? 1);
    }),
  );
  let cycle = 0;
  for await (const line of createInterface({ input: agent.stdout })) {
    const entry = parse(line);
    if (entry["msg"] === "cycle") {
      console.log(`cycle ${++cycle}: ${entry["domains"]} domains, ${entry["lines"]} lines in ${entry["ms"]} ms`);
    } else if (entry["msg"] === "delivered")
      console.log(`         ${entry["lines"]} lines delivered in ${entry["ms"]} ms`);
    else if (entry["level"] !== "debug" && entry["level"] !== "info")
      console.log(`         ${entry["level"]}: ${entry["msg"]} ${entry["field"] ?? ""}`);
  }
  return exited;
}

function parse(line: string): Record<string, string | number> {
  return JSON.parse(line) as Record<string, string | number>;
}

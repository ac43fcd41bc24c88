import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { end, until } from "./process.ts";
import type { Influxd1 } from "./influxd1.ts";
import type { Influxd2 } from "./influxd2.ts";

export type LogEntry = Readonly<Record<string, unknown>> & { readonly level: string; readonly msg: string };

export interface AgentRun {
  readonly targets: string;
  readonly interval?: string;
  /** More lines of the spec. */
  readonly spec?: string;
  readonly sockets: readonly string[];
  readonly args?: readonly string[];
  /** Secret name -> key -> value. */
  readonly secrets?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** The bundled agent as a user runs it, with its configuration file and its log. */
export class RunningAgent implements AsyncDisposable {
  readonly configFile: string;
  readonly log: LogEntry[] = [];
  readonly #dir: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<number | null>;

  private constructor(dir: string, configFile: string, child: ChildProcess, exited: Promise<number | null>) {
    this.#dir = dir;
    this.configFile = configFile;
    this.#child = child;
    this.#exited = exited;
  }

  static async start(run: AgentRun): Promise<RunningAgent> {
    const dir = await mkdtemp(path.join(tmpdir(), "agent-"));
    const configFile = path.join(dir, "config.yaml");
    await writeFile(configFile, configText(run));
    for (const [name, keys] of Object.entries(run.secrets ?? {})) {
      await mkdir(path.join(dir, "secrets", name), { recursive: true });
      for (const [key, value] of Object.entries(keys)) await writeFile(path.join(dir, "secrets", name, key), value);
    }
    const sockets = run.sockets.flatMap((socket) => ["--libvirt-socket", socket]);
    const options = [
      "--config",
      configFile,
      "--secrets-dir",
      path.join(dir, "secrets"),
      "--log-level",
      "debug",
      ...sockets,
    ];
    const child = spawn("node", ["dist/kubevirt-telemetry.js", "agent", ...options, ...(run.args ?? [])], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const exited = new Promise<number | null>((resolve) => child.once("close", resolve));
    const agent = new RunningAgent(dir, configFile, child, exited);
    createInterface({ input: child.stdout }).on("line", (line) => agent.log.push(JSON.parse(line) as LogEntry));
    return agent;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Waits for the end of an agent with a limited number of cycles; resolves to its exit code. */
  exit(): Promise<number | null> {
    return this.#exited;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves to the first entry that fits, now or later. */
  logged(fits: (entry: LogEntry) => boolean, what: string): Promise<LogEntry> {
    return until(() => Promise.resolve(this.log.find(fits)), `the agent to log ${what}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#child);
    await rm(this.#dir, { recursive: true, force: true });
  }
}

function configText({ targets, interval = "1s", spec = "" }: Pick<AgentRun, "targets" | "interval" | "spec">): string {
  return `apiVersion: kubevirt-telemetry.io/v1alpha1
kind: TelemetryConfig
metadata:
  name: test
spec:
  collection:
    interval: ${interval}
${spec}
  targets:
${targets}`;
}

export function target1({ url, database }: Influxd1): string {
  return `    - name: influx1
      url: ${url}
      tls: {mode: Plaintext}
      v1: {database: ${database}}
`;
}

/** Needs the secret `influx2` with the key `token`. */
export function target2({ url, org, bucket }: Influxd2): string {
  return `    - name: influx2
      url: ${url}
      tls: {mode: Plaintext}
      v2: {org: ${org}, bucket: ${bucket}, tokenSecretRef: {name: influx2}}
`;
}

import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { AGENT_COMMAND, AgentProcess, SERVE_NOTHING } from "./agent-process.ts";
import type { Influxd2 } from "./influxd2.ts";

export interface AgentConfig {
  readonly targets: string;
  readonly interval?: string;
  /** More lines of `spec.collection` and then of the spec. */
  readonly spec?: string;
}

export interface AgentRun extends AgentConfig {
  readonly sockets: readonly string[];
  readonly args?: readonly string[];
  /** Options of Node itself. */
  readonly nodeArgs?: readonly string[];
  /** Another bundle than that of this checkout. */
  readonly bundle?: string;
  /** The begin of a command that runs the rest of it. */
  readonly through?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Secret name -> key -> value. */
  readonly secrets?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** The bundled agent without a cluster, with a configuration file. */
export class RunningAgent extends AgentProcess {
  readonly configFile: string;
  readonly #dir: string;

  private constructor(dir: string, configFile: string, child: ChildProcess) {
    super(child);
    this.#dir = dir;
    this.configFile = configFile;
  }

  static async start(run: AgentRun): Promise<RunningAgent> {
    const dir = await mkdtemp(path.join(tmpdir(), "agent-"));
    const configFile = path.join(dir, "config.yaml");
    await writeFile(configFile, configText(run));
    for (const [name, keys] of Object.entries(run.secrets ?? {}))
      for (const [key, value] of Object.entries(keys)) await writeSecret(dir, { name, key, value });
    const sockets = run.sockets.flatMap((socket) => ["--libvirt-socket", socket]);
    const options = ["--config", configFile, "--secrets-dir", path.join(dir, "secrets"), ...sockets];
    const [node = "", ...own] = AGENT_COMMAND;
    const command = run.bundle === undefined ? own : own.with(0, run.bundle);
    const [program = "", ...args] = [
      ...[...(run.through ?? []), node, ...(run.nodeArgs ?? [])],
      ...[...command, ...options, ...(run.args ?? [])],
    ];
    const env = { ...process.env, ...SERVE_NOTHING, ...run.env };
    return new RunningAgent(dir, configFile, spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env }));
  }

  /** Replaces the configuration in one step, as an editor or Kubernetes does, without a signal. */
  async writeConfig(config: AgentConfig): Promise<void> {
    await writeFile(`${this.configFile}.new`, configText(config));
    await rename(`${this.configFile}.new`, this.configFile);
  }

  /** Like `writeConfig`, for a secret. */
  writeSecret(name: string, key: string, value: string): Promise<void> {
    return writeSecret(this.#dir, { name, key, value });
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    await rm(this.#dir, { recursive: true, force: true });
  }
}

async function writeSecret(
  dir: string,
  { name, key, value }: { readonly name: string; readonly key: string; readonly value: string },
): Promise<void> {
  const file = path.join(dir, "secrets", name, key);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, value);
}

function configText({ targets, interval = "1s", spec = "" }: AgentConfig): string {
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

/** Returns an InfluxDB 1 target; `more` are additional lines. */
export function target1({ url, database }: { readonly url: string; readonly database: string }, more = ""): string {
  return `    - name: influx1
      url: ${url}
      tls: {mode: Plaintext}
      v1: {database: ${database}}
${more}`;
}

/** Returns an InfluxDB 2 target, which needs the secret `influx2` with the key `token`. */
export function target2({ url, org, bucket }: Pick<Influxd2, "url" | "org" | "bucket">, more = ""): string {
  return `    - name: influx2
      url: ${url}
      tls: {mode: Plaintext}
      v2: {org: ${org}, bucket: ${bucket}, tokenSecretRef: {name: influx2}}
${more}`;
}

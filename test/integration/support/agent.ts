import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { end, until } from "./process.ts";
import type { Influxd2 } from "./influxd2.ts";

export type LogEntry = Readonly<Record<string, unknown>> & { readonly level: string; readonly msg: string };

export interface AgentConfig {
  readonly targets: string;
  readonly interval?: string;
  /** More lines of `spec.collection` and then of the spec. */
  readonly spec?: string;
}

export interface AgentRun extends AgentConfig {
  readonly sockets: readonly string[];
  readonly args?: readonly string[];
  /** Secret name -> key -> value. */
  readonly secrets?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** The bundled agent as a user runs it, with its configuration file and its log. */
export class RunningAgent implements AsyncDisposable {
  readonly configFile: string;
  readonly log: LogEntry[] = [];
  /** All that it wrote, for what must not be in it. */
  output = "";
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
    for (const [name, keys] of Object.entries(run.secrets ?? {}))
      for (const [key, value] of Object.entries(keys)) await writeSecret(dir, { name, key, value });
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
      stdio: ["ignore", "pipe", "pipe"],
    });
    const exited = new Promise<number | null>((resolve) => child.once("close", resolve));
    const agent = new RunningAgent(dir, configFile, child, exited);
    createInterface({ input: child.stdout }).on("line", (line) => {
      agent.output += `${line}\n`;
      agent.log.push(JSON.parse(line) as LogEntry);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      agent.output += text;
      process.stderr.write(text);
    });
    return agent;
  }

  /** Waits for the end of an agent with a limited number of cycles; resolves to its exit code. */
  exit(): Promise<number | null> {
    return this.#exited;
  }

  /** Asks it to end, and resolves to its exit code. */
  async stop(): Promise<number | null> {
    this.#child.kill("SIGTERM");
    return this.#exited;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Replaces the configuration in one step, as an editor or Kubernetes does; the agent is not told. */
  async writeConfig(config: AgentConfig): Promise<void> {
    await writeFile(`${this.configFile}.new`, configText(config));
    await rename(`${this.configFile}.new`, this.configFile);
  }

  /** As `writeConfig`, of a secret. */
  writeSecret(name: string, key: string, value: string): Promise<void> {
    return writeSecret(this.#dir, { name, key, value });
  }

  /** Resolves to the first entry that fits, now or later, of those from number `since` on. */
  logged(fits: (entry: LogEntry) => boolean, what: string, since = 0): Promise<LogEntry> {
    return until(() => Promise.resolve(this.log.slice(since).find(fits)), `the agent to log ${what}`);
  }

  /** The ends of cycles that it has logged. */
  get cycles(): readonly LogEntry[] {
    return this.log.filter(({ msg }) => msg === "cycle");
  }

  /** Lets that many cycles end from now on. */
  async run(cycles: number): Promise<void> {
    const goal = this.cycles.length + cycles;
    await until(() => Promise.resolve(this.cycles.length >= goal || undefined), `${cycles} cycles of the agent`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#child);
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

/** A target that speaks InfluxDB 1; `more` are lines of its own. */
export function target1({ url, database }: { readonly url: string; readonly database: string }, more = ""): string {
  return `    - name: influx1
      url: ${url}
      tls: {mode: Plaintext}
      v1: {database: ${database}}
${more}`;
}

/** Needs the secret `influx2` with the key `token`. */
export function target2({ url, org, bucket }: Pick<Influxd2, "url" | "org" | "bucket">, more = ""): string {
  return `    - name: influx2
      url: ${url}
      tls: {mode: Plaintext}
      v2: {org: ${org}, bucket: ${bucket}, tokenSecretRef: {name: influx2}}
${more}`;
}

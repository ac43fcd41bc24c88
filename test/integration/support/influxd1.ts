import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Row } from "./csv.ts";
import { influxql } from "./influxql.ts";
import { end, freePort, until } from "./process.ts";

interface Ports {
  readonly http: number;
  readonly rpc: number;
}

interface Influxd1Options {
  /** On which it listens; by default 127.0.0.1. */
  readonly address?: string;
  /** In a database; a million without it. */
  readonly maxSeries?: number;
}

/** A real InfluxDB 1 with a database `telemetry`, in a directory and on ports of its own. */
export class Influxd1 implements AsyncDisposable {
  readonly url: string;
  readonly database: string = "telemetry";
  readonly #dir: string;
  readonly #ports: Ports;
  #child: ChildProcess | undefined;

  private constructor(dir: string, ports: Ports, address: string) {
    this.url = `http://${address}:${ports.http}`;
    this.#dir = dir;
    this.#ports = ports;
  }

  static async start(options: Influxd1Options = {}): Promise<Influxd1> {
    const dir = await mkdtemp(path.join(tmpdir(), "influxd1-"));
    const { address = "127.0.0.1" } = options;
    const server = new Influxd1(dir, { http: await freePort(), rpc: await freePort() }, address);
    try {
      await server.restart(options);
      await server.query("CREATE DATABASE telemetry");
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  async stop(): Promise<void> {
    if (this.#child !== undefined) await end(this.#child);
  }

  /** With the same data. */
  async restart(options: Influxd1Options = {}): Promise<void> {
    await this.stop();
    const file = path.join(this.#dir, "influxdb.conf");
    await writeFile(file, configuration(this.#dir, this.#ports, { address: new URL(this.url).hostname, ...options }));
    this.#child = spawn("influxd", ["run", "-config", file], { stdio: "ignore" });
    await until(async () => (await fetch(`${this.url}/ping`)).ok || undefined, "influxd 1 to answer");
  }

  /** The rows of an InfluxQL query; every value as the server wrote it, times in nanoseconds. */
  query(q: string, database = this.database): Promise<Row[]> {
    return influxql({ url: this.url, database }, q);
  }

  async write(lines: string): Promise<void> {
    const response = await fetch(`${this.url}/write?db=${this.database}`, { method: "POST", body: lines });
    if (!response.ok) throw new Error(`influxd 1 answered ${response.status}: ${await response.text()}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.#dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

function configuration(
  dir: string,
  { http, rpc }: Ports,
  { address, maxSeries = 1_000_000 }: Influxd1Options & { readonly address: string },
): string {
  return `reporting-disabled = true
bind-address = "127.0.0.1:${rpc}"
[meta]
  dir = "${dir}/meta"
[data]
  dir = "${dir}/data"
  wal-dir = "${dir}/wal"
  max-series-per-database = ${maxSeries}
[http]
  bind-address = "${address}:${http}"
  log-enabled = false
`;
}

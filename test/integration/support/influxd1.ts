import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Row } from "./csv.ts";
import { influxql } from "./influxql.ts";
import { end, freePort, until } from "./process.ts";

/** A real InfluxDB 1 with a database `telemetry`, in a directory and on ports of its own. */
export class Influxd1 implements AsyncDisposable {
  readonly url: string;
  readonly database = "telemetry";
  readonly #dir: string;
  readonly #child: ChildProcess;

  private constructor(url: string, dir: string, child: ChildProcess) {
    this.url = url;
    this.#dir = dir;
    this.#child = child;
  }

  static async start(): Promise<Influxd1> {
    const dir = await mkdtemp(path.join(tmpdir(), "influxd1-"));
    const [http, rpc] = [await freePort(), await freePort()];
    await writeFile(
      path.join(dir, "influxdb.conf"),
      `reporting-disabled = true
bind-address = "127.0.0.1:${rpc}"
[meta]
  dir = "${dir}/meta"
[data]
  dir = "${dir}/data"
  wal-dir = "${dir}/wal"
[http]
  bind-address = "127.0.0.1:${http}"
  log-enabled = false
`,
    );
    const child = spawn("influxd", ["run", "-config", path.join(dir, "influxdb.conf")], { stdio: "ignore" });
    const server = new Influxd1(`http://127.0.0.1:${http}`, dir, child);
    try {
      await until(async () => (await fetch(`${server.url}/ping`)).ok || undefined, "influxd 1 to answer");
      await server.query("CREATE DATABASE telemetry");
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Resolves to the rows of an InfluxQL query; values as text from the server, times in nanoseconds. */
  query(q: string): Promise<Row[]> {
    return influxql(this, q);
  }

  async write(lines: string): Promise<void> {
    const response = await fetch(`${this.url}/write?db=${this.database}`, { method: "POST", body: lines });
    if (!response.ok) throw new Error(`influxd 1 answered ${response.status}: ${await response.text()}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#child);
    await rm(this.#dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

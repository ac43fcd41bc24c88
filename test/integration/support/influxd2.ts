import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { influxd2Path } from "../../../scripts/provision/cache.ts";
import { parseCsv, type Row } from "./csv.ts";
import { influxql } from "./influxql.ts";
import { end, freePort, until } from "./process.ts";

/** A real InfluxDB 2 with an organization, a bucket and a token, in a directory and on a port of its own. */
export class Influxd2 implements AsyncDisposable {
  readonly url: string;
  readonly org = "tests";
  readonly bucket: string = "telemetry";
  readonly token = "a-token-of-the-tests";
  readonly #dir: string;
  readonly #port: number;
  #child: ChildProcess | undefined;

  private constructor(dir: string, port: number) {
    this.url = `http://127.0.0.1:${port}`;
    this.#dir = dir;
    this.#port = port;
  }

  static async start(): Promise<Influxd2> {
    const server = new Influxd2(await mkdtemp(path.join(tmpdir(), "influxd2-")), await freePort());
    try {
      await server.restart();
      const { org, bucket, token } = server;
      await server.#post(
        "/api/v2/setup",
        "application/json",
        JSON.stringify({ username: "tests", password: "password-of-the-tests", org, bucket, token }),
      );
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
  async restart(): Promise<void> {
    await this.stop();
    const dir = this.#dir;
    const args = [
      `--bolt-path=${dir}/influxd.bolt`,
      `--engine-path=${dir}/engine`,
      `--sqlite-path=${dir}/influxd.sqlite`,
    ];
    this.#child = spawn(
      influxd2Path(),
      [`--http-bind-address=127.0.0.1:${this.#port}`, "--reporting-disabled", "--log-level=error", ...args],
      {
        stdio: "ignore",
        env: { ...process.env, HOME: dir },
      },
    );
    await until(async () => (await fetch(`${this.url}/ping`)).ok || undefined, "influxd 2 to answer");
  }

  /** The points of a measurement, a row for each series and time with its tags and fields, times in RFC 3339. */
  async points(measurement: string): Promise<Row[]> {
    const all = `from(bucket: "${this.bucket}") |> range(start: 0, stop: 2100-01-01T00:00:00Z) |> filter(fn: (r) => r._measurement == "${measurement}")`;
    const values = await this.flux(all);
    const points = new Map<string, Record<string, string>>();
    for (const { _field: field = "", _value: value = "", _time: time = "", ...rest } of values) {
      const tags = Object.fromEntries(
        Object.entries(rest).filter(
          ([key]) => !["", "result", "table", "_start", "_stop", "_measurement"].includes(key),
        ),
      );
      const series = JSON.stringify([time, tags]);
      const point = points.get(series) ?? { time, ...tags };
      point[field] = value;
      points.set(series, point);
    }
    return [...points.values()];
  }

  async write(lines: string): Promise<void> {
    await this.#post(`/api/v2/write?org=${this.org}&bucket=${this.bucket}`, "text/plain", lines);
  }

  /** The rows of a Flux query, of all its tables. */
  async flux(query: string): Promise<Row[]> {
    return parseCsv(await this.#post(`/api/v2/query?org=${this.org}`, "application/vnd.flux", query));
  }

  async createBucket(name: string): Promise<void> {
    const orgID = await this.#orgId();
    await this.#post("/api/v2/buckets", "application/json", JSON.stringify({ orgID, name, retentionRules: [] }));
  }

  /** Creates a task that runs this script of Flux, if the server accepts it. */
  async createTask(flux: string): Promise<void> {
    await this.#post("/api/v2/tasks", "application/json", JSON.stringify({ orgID: await this.#orgId(), flux }));
  }

  /** Creates a token that may write, and a function that revokes it. */
  async createToken(): Promise<{ readonly token: string; revoke(): Promise<void> }> {
    const orgID = await this.#orgId();
    const permissions = [{ action: "write", resource: { type: "buckets", orgID } }];
    const made = await this.#post("/api/v2/authorizations", "application/json", JSON.stringify({ orgID, permissions }));
    const { id, token } = JSON.parse(made) as { id: string; token: string };
    return {
      token,
      revoke: async () => {
        await this.#call("DELETE", `/api/v2/authorizations/${id}`);
      },
    };
  }

  /** Queries InfluxQL, in which every bucket is also a database of its name. */
  query(q: string, bucket = this.bucket): Promise<Row[]> {
    return influxql({ url: this.url, database: bucket, token: this.token }, q);
  }

  async #orgId(): Promise<string | undefined> {
    const { orgs } = JSON.parse(await this.#call("GET", `/api/v2/orgs?org=${this.org}`)) as { orgs: { id: string }[] };
    return orgs[0]?.id;
  }

  #post(path: string, type: string, body: string): Promise<string> {
    return this.#call("POST", path, { headers: { "content-type": type }, body });
  }

  async #call(
    method: string,
    path: string,
    more: Pick<RequestInit, "body"> & { headers?: object } = {},
  ): Promise<string> {
    const headers = { ...more.headers, authorization: `Token ${this.token}`, accept: "application/csv" };
    const response = await fetch(this.url + path, { ...more, method, headers });
    const text = await response.text();
    if (!response.ok) throw new Error(`influxd 2 answered ${response.status}: ${text}`);
    return text;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.#dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

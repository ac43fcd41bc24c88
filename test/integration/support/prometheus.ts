import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { end, freePort, until } from "./process.ts";

export interface PromSeries {
  readonly metric: Readonly<Record<string, string>>;
  /** Seconds and a number as text. */
  readonly values: readonly (readonly [time: number, value: string])[];
}

export interface Job {
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly metricsPath?: string;
  readonly honorLabels?: boolean;
}

/** A real Prometheus that scrapes these addresses every second. */
export class Prometheus implements AsyncDisposable {
  readonly #url: string;
  readonly #dir: string;
  readonly #child: ChildProcess;

  private constructor(url: string, dir: string, child: ChildProcess) {
    this.#url = url;
    this.#dir = dir;
    this.#child = child;
  }

  /** `jobs`: job -> where and how it is scraped. `rules` is a file of rules that are evaluated every second. */
  static async start(jobs: Readonly<Record<string, Job>>, rules?: string): Promise<Prometheus> {
    const dir = await mkdtemp(path.join(tmpdir(), "prometheus-"));
    const address = `127.0.0.1:${await freePort()}`;
    const config = {
      global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
      rule_files: rules === undefined ? [] : [path.resolve(rules)],
      scrape_configs: Object.entries(jobs).map(([job, { address, labels, metricsPath, honorLabels }]) => ({
        job_name: job,
        metrics_path: metricsPath ?? "/metrics",
        honor_labels: honorLabels ?? false,
        static_configs: [{ targets: [address], labels }],
      })),
    };
    // JSON is valid YAML.
    await writeFile(path.join(dir, "prometheus.yml"), JSON.stringify(config));
    const args = ["--config.file", `${dir}/prometheus.yml`, "--storage.tsdb.path", `${dir}/data`];
    const child = spawn("prometheus", [...args, "--web.listen-address", address, "--log.level=error"], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    const server = new Prometheus(`http://${address}`, dir, child);
    try {
      await until(async () => (await fetch(`http://${address}/-/ready`)).ok || undefined, "Prometheus to answer");
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Queries a value for every step of a range. */
  async range(expr: string, fromS: number, toS: number, stepS = 1): Promise<readonly PromSeries[]> {
    const query = new URLSearchParams({ query: expr, start: String(fromS), end: String(toS), step: String(stepS) });
    const { result } = (await this.#get(`query_range?${query.toString()}`)) as {
      readonly result: readonly PromSeries[];
    };
    return result;
  }

  async labelValues(label: string, match: string): Promise<readonly string[]> {
    return (await this.#get(
      `label/${label}/values?${new URLSearchParams({ "match[]": match }).toString()}`,
    )) as string[];
  }

  async #get(what: string): Promise<unknown> {
    const response = await fetch(`${this.#url}/api/v1/${what}`);
    const { data, error } = (await response.json()) as { readonly data?: unknown; readonly error?: string };
    if (data === undefined) throw new Error(`Prometheus: ${error}`);
    return data;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#child);
    await rm(this.#dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

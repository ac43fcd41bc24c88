import { spawn, type ChildProcessByStdio } from "node:child_process";
import { createInterface } from "node:readline";
import path from "node:path";
import type { Readable, Writable } from "node:stream";
import type { Point } from "../../../scripts/demo/line-protocol-parser.ts";
import { datafusionPath } from "../../../scripts/provision/cache.ts";
import { end } from "./process.ts";

type Cell = string | number | null;

export interface SqlResult {
  /** Column -> its type, as Arrow calls it. */
  readonly types: Readonly<Record<string, string>>;
  /** Times in milliseconds. */
  readonly rows: readonly Readonly<Record<string, Cell>>[];
}

/**
 * The query engine of InfluxDB 3, over tables with the column types that InfluxDB 3 makes from line protocol. It lacks the SQL
 * functions that InfluxDB 3 adds.
 */
export class Datafusion implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #answers: AsyncIterator<string>;

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>) {
    this.#child = child;
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  static async start(points: readonly Point[]): Promise<Datafusion> {
    const child = spawn("python3", [path.join(import.meta.dirname, "sql-engine.py")], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, PYTHONPATH: datafusionPath() },
    });
    const engine = new Datafusion(child);
    for (const [table, of] of Map.groupBy(points, ({ measurement }) => measurement))
      await engine.#ask({ table, columns: columnsOf(of) });
    return engine;
  }

  async query(sql: string): Promise<SqlResult> {
    return (await this.#ask({ sql })) as unknown as SqlResult;
  }

  /** One at a time. */
  async #ask(request: object): Promise<Readonly<Record<string, unknown>>> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    const { value } = (await this.#answers.next()) as IteratorResult<string, undefined>;
    const answer = JSON.parse(value ?? '{"error":"it has ended"}') as Readonly<Record<string, unknown>>;
    if (typeof answer["error"] === "string") throw new Error(`DataFusion: ${answer["error"]}`);
    return answer;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return end(this.#child);
  }
}

/** The columns of one measurement: column -> kind and values. A missing value is null. */
function columnsOf(
  points: readonly Point[],
): Readonly<Record<string, readonly [kind: string, values: readonly Cell[]]>> {
  const tags = new Set(points.flatMap((point) => [...point.tags.keys()]));
  const fields = new Map(
    points.flatMap((point) => [...point.fields].map(([key, value]) => [key, kindOf(value)] as const)),
  );
  return {
    time: ["time", points.map(({ timestamp }) => String(timestamp))],
    ...Object.fromEntries([...tags].map((key) => [key, ["tag", points.map((point) => point.tags.get(key) ?? null)]])),
    ...Object.fromEntries(
      [...fields].map(([key, kind]) => [key, [kind, points.map((point) => cellOf(point.fields.get(key)))]]),
    ),
  };
}

function kindOf(value: unknown): string {
  return typeof value === "bigint" ? "integer" : typeof value === "number" ? "float" : "string";
}

function cellOf(value: bigint | number | string | boolean | undefined): Cell {
  return value === undefined ? null : typeof value === "number" ? value : String(value);
}

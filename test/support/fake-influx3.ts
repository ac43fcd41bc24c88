// How InfluxDB 3 Core answers a write, as measured with 3.6.0 and 3.8.3 built from source; 3.10 as read in its source.
import { linesOutsideQuotes, parseLine, type Column } from "./line-parser.ts";

/** The releases that differ: 3.6 stands for 3.6 and 3.7, 3.8 for 3.8 and 3.9. */
export type Release = "3.6" | "3.8" | "3.10";
export type Api = "native" | "v2" | "v1";

export interface Influx3Options {
  readonly release?: Release;
  readonly maxDatabases?: number;
  /** Over all databases. */
  maxTables?: number;
  readonly maxColumns?: number;
  readonly maxBodyBytes?: number;
}

export interface Reply {
  readonly status: number;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The connection is closed without an answer. */
  readonly closes?: true;
}

interface BadLine {
  readonly error_message: string;
  readonly line_number: number;
  readonly original_line: string;
}

interface Write {
  readonly api: Api;
  readonly database: string;
  /** Undefined if the body cannot be unzipped. */
  readonly text: string | undefined;
  readonly bodyBytes: number;
  readonly acceptPartial: boolean;
}

const LIMITS = { maxDatabases: 5, maxTables: 2_000, maxColumns: 500, maxBodyBytes: 10_485_760 };
const STUB_BYTES = 20;
const FAULTS = {
  shuttingDown: "error from wal: wal is shutdown and not accepting writes",
  diskFull: "error from wal: object store error: Generic LocalFileSystem error: No space left on device (os error 28)",
};

/** The databases of an InfluxDB 3 Core, in memory. */
export class FakeInflux3 {
  readonly options: Influx3Options;
  /** The stored lines in the order of arrival, with repetitions. */
  readonly stored: string[] = [];
  state: "running" | keyof typeof FAULTS = "running";
  readonly #databases = new Set<string>();
  /** Database and table -> columns. */
  #tables = new Map<string, Map<string, Column>>();

  constructor(options: Influx3Options) {
    this.options = options;
  }

  /** Answers a request without a valid token. */
  unauthorized(authorization: string | undefined): Reply {
    if (authorization !== undefined && authorization.split(" ").length > 2)
      return json(400, { error: "Authorization header was malformed, the request was not in the form of a token" });
    return this.#release === "3.6" ? { status: 401 } : json(401, { error: "the request was not authenticated" });
  }

  write({ api, database, text, bodyBytes, acceptPartial }: Write): Reply {
    const { maxDatabases, maxBodyBytes } = { ...LIMITS, ...this.options };
    if (bodyBytes > maxBodyBytes) return this.#tooLarge(api, maxBodyBytes);
    if (text === undefined) return this.#unreadable(api);
    const lines = linesOutsideQuotes(text).filter((line) => line.trim() !== "" && !line.startsWith("#"));
    if (database.length > 64) return rejection(api, 400, "db name too long: max 64");
    if (!this.#databases.has(database) && this.#databases.size >= maxDatabases)
      return rejection(api, 422, `Adding a new database would exceed limit of ${maxDatabases} databases`);
    if (this.state !== "running") return fault(api, FAULTS[this.state]);
    this.#databases.add(database);
    if (lines.length === 0) return rejection(api, 400, "incoming write was empty");
    return this.#writeLines(lines, { api, database, acceptPartial });
  }

  get #release(): Release {
    return this.options.release ?? "3.6";
  }

  #writeLines(
    lines: readonly string[],
    { api, database, acceptPartial }: Pick<Write, "api" | "database" | "acceptPartial">,
  ): Reply {
    const bad: BadLine[] = [];
    const good: string[] = [];
    const before = structuredClone(this.#tables);
    for (const [index, line] of lines.entries()) {
      const error = this.#check(database, line);
      if (error === undefined) good.push(line);
      else bad.push({ error_message: error, line_number: index + 1, original_line: stub(line) });
    }
    const isAtLimit = bad.some(({ error_message }) => error_message.startsWith("Update to schema"));
    const [first] = bad;
    if (first === undefined || (acceptPartial && !isAtLimit)) this.stored.push(...good);
    else this.#tables = before;
    if (first === undefined) return { status: 204 };
    if (this.#release !== "3.10" && api !== "v2" && bad.some(({ original_line }) => original_line.includes("\ufffd")))
      return { status: 0, closes: true };
    if (!acceptPartial) return this.#rejectedWhole(api, first);
    const data = isAtLimit
      ? lines.map((line, at) => ({ ...first, line_number: at + 1, original_line: stub(line) }))
      : bad;
    return json(isAtLimit ? 422 : 400, { error: "partial write of line protocol occurred", data });
  }

  /** Returns why the line is bad, or adds its columns. */
  #check(database: string, line: string): string | undefined {
    const { maxTables, maxColumns } = { ...LIMITS, ...this.options };
    const parsed = parseLine(line);
    if (typeof parsed === "string") return parsed;
    const name = `${database}/${parsed.table}`;
    const known = this.#tables.get(name);
    if (known === undefined && this.#tables.size >= maxTables)
      return `Update to schema would exceed number of tables limit of ${maxTables} tables`;
    const columns = new Map(known);
    for (const [column, type] of parsed.columns) {
      const existing = columns.get(column) ?? type;
      if (existing !== type)
        return `invalid column type for column '${column}', expected ${columnType(existing)}, got ${columnType(type)}`;
      columns.set(column, type);
    }
    if (columns.size > maxColumns)
      return `Update to schema would exceed number of columns per table limit of ${maxColumns} columns`;
    this.#tables.set(name, columns);
    return undefined;
  }

  #rejectedWhole(api: Api, first: BadLine): Reply {
    const { error_message: reason } = first;
    if (api === "v1" || (api === "native" && !reason.startsWith("Update to schema")))
      return json(400, { error: "parsing failed for write_lp endpoint", data: first });
    const isOld = this.#release === "3.6";
    if (reason.startsWith("Update to schema")) return fault("v2", `catalog update error: ${reason}`);
    return fault("v2", isOld ? "parsing for line protocol failed" : `line protocol parse failed: ${reason}`);
  }

  #tooLarge(api: Api, max: number): Reply {
    const text = `max request size (${max} bytes) exceeded`;
    if (api === "v2") return json(413, { code: "request too large", message: text });
    return { status: this.#release === "3.10" ? 413 : 500, body: text };
  }

  #unreadable(api: Api): Reply {
    const text = "error decoding gzip stream: invalid gzip header";
    return rejection(api, api === "v2" || this.#release === "3.10" ? 400 : 500, text);
  }
}

function rejection(api: Api, status: number, message: string): Reply {
  return api === "v2" ? json(400, { code: "invalid", message }) : json(status, { error: message });
}

/** A fault of the server: only the API that imitates InfluxDB 2 calls it the client's. */
function fault(api: Api, message: string): Reply {
  if (api === "v2") return json(400, { code: "invalid", message: `write buffer error: ${message}` });
  return { status: 500, body: `write buffer error: ${message}` };
}

function json(status: number, body: object): Reply {
  return { status, body: JSON.stringify(body), headers: { "content-type": "application/json" } };
}

/** Returns the first bytes of a line, as the server shows it. A character that is cut becomes U+FFFD. */
function stub(line: string): string {
  return Buffer.from(line).subarray(0, STUB_BYTES).toString();
}

function columnType(column: Column): string {
  return column === "tag" ? "iox::column_type::tag" : `iox::column_type::field::${column}`;
}

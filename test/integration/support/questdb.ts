import type { Point } from "../../../scripts/demo/line-protocol-parser.ts";
import { questdbPath } from "../../../scripts/provision/cache.ts";
import { parseCsv, type Row } from "./csv.ts";
import { pointText, rowText } from "./row-text.ts";
import { ServerProcess } from "./server-process.ts";

/** For a quick start: the server runs for seconds. */
const JAVA = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
const SETTINGS = {
  QDB_SHARED_WORKER_COUNT: "1",
  QDB_PG_ENABLED: "false",
  QDB_LINE_TCP_ENABLED: "false",
  QDB_HTTP_MIN_ENABLED: "false",
  QDB_TELEMETRY_ENABLED: "false",
};

/** Starts a QuestDB with its HTTP port only. */
export function startQuestDb(): Promise<ServerProcess> {
  return ServerProcess.start(({ directory, port }) => ({
    command: "java",
    args: [...JAVA, "-p", questdbPath(), "-m", "io.questdb/io.questdb.ServerMain", "-d", directory],
    env: { ...SETTINGS, QDB_HTTP_BIND_TO: `127.0.0.1:${port}` },
    ready: "/ping",
  }));
}

/** Returns the rows of an SQL query. */
async function questDbQuery(server: ServerProcess, query: string): Promise<Row[]> {
  return parseCsv(await server.ask(`/exp?query=${encodeURIComponent(query)}`));
}

/** Runs an SQL statement without a result. */
export async function questDbRun(server: ServerProcess, query: string): Promise<void> {
  await server.ask(`/exec?query=${encodeURIComponent(query)}`);
}

export async function questDbTables(server: ServerProcess): Promise<readonly string[]> {
  return (await questDbQuery(server, "SELECT table_name FROM tables()")).map((row) => row["table_name"] ?? "");
}

/** Returns everything that the server holds, a text for each row. */
export async function storedRows(server: ServerProcess): Promise<readonly string[]> {
  const rows: string[] = [];
  // One after the other: the server takes two queries at a time.
  for (const table of await questDbTables(server)) rows.push(...(await rowsOfTable(server, table)));
  return rows;
}

async function rowsOfTable(server: ServerProcess, table: string): Promise<string[]> {
  const columns = await questDbQuery(server, `SHOW COLUMNS FROM "${table}"`);
  const floats = columns.filter(({ type }) => type === "DOUBLE").map(({ column = "" }) => column);
  const rows = await questDbQuery(server, `"${table}"`);
  return rows.map((row) => {
    const numbers = floats
      .filter((column) => row[column] !== "")
      .map((column) => [column, String(Number(row[column]))]);
    return rowText(table, { ...row, ...(Object.fromEntries(numbers) as Row) });
  });
}

/** Returns what QuestDB holds of a point: a row with its tags and fields, and the time in microseconds. */
export function questDbRowOf(point: Point): readonly string[] {
  const micros = point.timestamp / 1_000n;
  const milliseconds = new Date(Number(micros / 1_000n)).toISOString().slice(0, -1);
  const time = `${milliseconds}${String(micros % 1_000n).padStart(3, "0")}Z`;
  return [pointText(point, { timeColumn: "timestamp", time })];
}

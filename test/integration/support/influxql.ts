import { parseCsv, type Row } from "./csv.ts";

/** The rows of an InfluxQL query, which InfluxDB 1 and 2 both answer; values as written, times in nanoseconds. */
export async function influxql(
  { url, database, token }: { readonly url: string; readonly database: string; readonly token?: string },
  q: string,
): Promise<Row[]> {
  const response = await fetch(`${url}/query`, {
    method: "POST",
    headers: { accept: "application/csv", ...(token !== undefined && { authorization: `Token ${token}` }) },
    body: new URLSearchParams({ db: database, epoch: "ns", q }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`InfluxDB answered ${response.status}: ${text}`);
  return parseCsv(text);
}

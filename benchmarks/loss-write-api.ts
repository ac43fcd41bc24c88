// Delivers lines with the official client's WriteApi, with limits so high that it does not have to drop a line.
import { InfluxDB, setLogger, type WriteApi } from "@influxdata/influxdb-client";
import { ending, makeLines, onCalm, order } from "./loss-lines.ts";
import { LIMITS, TIMEOUT_MS } from "./loss-settings.ts";

setLogger({ error: ignore, warn: ignore });

const given = order();
const { url, org, buckets, token, tokenMissing } = given;
const ended = ending();
const apis = buckets.map((bucket, index) =>
  apiOf(bucket, tokenMissing && index === buckets.length - 1 ? undefined : token),
);
onCalm(() => {
  if (!tokenMissing) return;
  // A client keeps the token of its start, so the one with a token is another.
  void apis.pop()?.close().catch(ignore);
  apis.push(apiOf(buckets.at(-1) ?? "", token));
});
await makeLines(given, (lines) => {
  for (const api of apis) api.writeRecords([...lines]);
});
await ended;
await Promise.all(apis.map((api) => api.close().catch(ignore)));
process.exit();

function apiOf(bucket: string, token: string | undefined): WriteApi {
  const client = new InfluxDB({ url, ...(token !== undefined && { token }), timeout: TIMEOUT_MS });
  return client.getWriteApi(org, bucket, "ns", LIMITS);
}

function ignore(): void {
  // The benchmark queries the server for the stored lines.
}

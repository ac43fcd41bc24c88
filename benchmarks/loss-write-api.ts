// Delivers lines with the official client's WriteApi, with limits so high that it does not have to drop a line.
import { InfluxDB, setLogger } from "@influxdata/influxdb-client";
import { ending, makeLines, order } from "./loss-lines.ts";
import { LIMITS, TIMEOUT_MS } from "./loss-settings.ts";

setLogger({ error: ignore, warn: ignore });

const given = order();
const { url, org, bucket, token } = given;
const ended = ending();
const api = new InfluxDB({ url, token, timeout: TIMEOUT_MS }).getWriteApi(org, bucket, "ns", LIMITS);
await makeLines(given, (lines) => {
  api.writeRecords([...lines]);
});
await ended;
await api.close().catch(ignore);
process.exit();

function ignore(): void {
  // The benchmark queries the server for the stored lines.
}

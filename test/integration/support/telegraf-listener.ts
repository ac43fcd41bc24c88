import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { parseLines } from "../../../scripts/demo/line-protocol-parser.ts";
import { telegrafPath } from "../../../scripts/provision/cache.ts";
import { pointText } from "./row-text.ts";
import { ServerProcess } from "./server-process.ts";

/** The input plugins that take requests of InfluxDB's clients -> a path that they answer when they are ready. */
const LISTENERS = { influxdb_listener: "/ping", influxdb_v2_listener: "/api/v2/ready" };

/** Starts a Telegraf that writes what it receives to a file. */
export function startTelegraf(listener: keyof typeof LISTENERS): Promise<ServerProcess> {
  return ServerProcess.start(async ({ directory, port }) => {
    const config = path.join(directory, "telegraf.conf");
    await writeFile(
      config,
      `[agent]
  flush_interval = "100ms"
  flush_jitter = "0s"
  metric_buffer_limit = 100000
  omit_hostname = true
[[inputs.${listener}]]
  service_address = "127.0.0.1:${port}"
[[outputs.file]]
  files = ["${path.join(directory, "lines")}"]
  data_format = "influx"
`,
    );
    return {
      command: telegrafPath(),
      args: ["--config", config, "--quiet", "--strict-env-handling"],
      ready: LISTENERS[listener],
    };
  });
}

/** Returns everything that Telegraf has written, a text for each line. */
export async function writtenPoints(server: ServerProcess): Promise<readonly string[]> {
  return parseLines(await readFile(path.join(server.directory, "lines"), "utf8")).map((point) => pointText(point));
}

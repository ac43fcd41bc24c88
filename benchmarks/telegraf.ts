import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { telegrafPath } from "../scripts/provision/cache.ts";
import { end } from "../test/integration/support/process.ts";
import { Deliveries, INTERVAL, workBySignals, type Contender } from "./contender.ts";

const WARM_UP_CYCLES = 3;

/** Starts Telegraf with its libvirt input as in its documentation: every statistics group. */
export async function startTelegraf(socket: string): Promise<Contender> {
  await using resources = new AsyncDisposableStack();
  const deliveries = resources.use(await Deliveries.start("libvirt_state"));
  const dir = await mkdtemp(path.join(tmpdir(), "telegraf-"));
  resources.defer(() => rm(dir, { recursive: true, force: true }));
  const config = path.join(dir, "telegraf.conf");
  await writeFile(
    config,
    `[agent]
  interval = "${INTERVAL}"
  flush_interval = "1s"
  omit_hostname = true
[[inputs.libvirt]]
  libvirt_uri = "qemu+unix:///system?socket=${socket}"
[[outputs.influxdb]]
  urls = ["${deliveries.url}"]
  database = "telemetry"
  skip_database_creation = true
`,
  );
  const child = spawn(telegrafPath(), ["--config", config, "--quiet", "--strict-env-handling"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  resources.defer(() => end(child));
  const { pid } = child;
  if (pid === undefined) throw new Error(`${telegrafPath()} cannot be started`);
  await deliveries.next(WARM_UP_CYCLES);
  child.kill("SIGSTOP");
  // A stopped process would not end.
  resources.defer(() => void child.kill("SIGCONT"));
  const owned = resources.move();
  return {
    name: "Telegraf, inputs.libvirt",
    pid,
    deliveries,
    work: (during) => workBySignals(pid, during),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

// A process that does an agent's work after collection: once in every interval it makes lines of samples, writes them to a spool
// on disk, and sends them to the targets of DIR/config.yaml. With BACKLOG_LINES it makes a backlog as fast as it can, and ends.
//
//   fork("benchmarks/delivery-writer.ts", [DIR, INTERVAL_S, PHASE_MS, BACKLOG_LINES])
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readConfigFile } from "../src/config/file-source.ts";
import { resolveConfig } from "../src/config/resolve.ts";
import { TargetAccessReader } from "../src/config/target-access.ts";
import { secretsDirectory } from "../src/config/secrets-dir.ts";
import { systemClock, type Clock } from "../src/lib/clock.ts";
import { Router } from "../src/routing/router.ts";
import { DurableSpool } from "../src/spool/durable-spool.ts";
import { simulatedSamples } from "./simulated-samples.ts";
import { DOMAINS, LINES_PER_SECOND, NODE_SHAPE } from "./writer.ts";

const [directory = "", interval = "", phaseMs = "", backlogLines = "0"] = process.argv.slice(2);
const intervalMs = Number(interval) * 1_000;

/** The real clock with another date. */
class EarlierClock implements Clock {
  behindMs = 0;

  now(): number {
    return systemClock.now() - this.behindMs;
  }

  monotonic(): number {
    return systemClock.monotonic();
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return systemClock.sleep(ms, signal);
  }
}

const clock = new EarlierClock();
const samples = simulatedSamples(DOMAINS * Number(interval), NODE_SHAPE);
const router = new Router({
  node: "bench",
  clock,
  observer: { delivered: ignore, failing: ignore, recovered: ignore, notice: ignore, rejected: ignore },
  onMissing: ignore,
  spool: await DurableSpool.open({ directory: path.join(directory, "spool"), clock, minFreeShare: 0 }),
});
const access = new TargetAccessReader(secretsDirectory(path.join(directory, "secrets")));
await router.apply(await resolveConfig(await readConfigFile(path.join(directory, "config.yaml")), access));

const seconds = Math.ceil(Number(backlogLines) / LINES_PER_SECOND);
// The frames have the times of an outage, because the sender derives the live rate from them.
for (clock.behindMs = seconds * 1_000; clock.behindMs > 0; clock.behindMs -= intervalMs) await write();

let isOver = seconds > 0;
process.on("disconnect", () => (isOver = true));
for (let next = Math.ceil(Date.now() / 1_000) * 1_000 + Number(phaseMs); !isOver; next += intervalMs) {
  await sleep(Math.max(0, next - Date.now()));
  await write();
}
await router.stop();
process.exit();

async function write(): Promise<void> {
  const timestampMs = clock.now();
  for (const sample of samples) router.route({ ...sample, timestampMs });
  await router.flush();
}

function ignore(): void {
  // Without an observer: logging is not measured.
}

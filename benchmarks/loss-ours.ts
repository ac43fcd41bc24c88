// Delivers lines as the agent does: spool on disk and sender, with the defaults of the configuration except the timeout.
import path from "node:path";
import { Secret } from "../src/config/secret.ts";
import { Lanes } from "../src/delivery/lanes.ts";
import { RejectedLines } from "../src/delivery/rejected-lines.ts";
import { Sender } from "../src/delivery/sender.ts";
import { systemClock } from "../src/lib/clock.ts";
import { DurableSpool } from "../src/spool/durable-spool.ts";
import { ending, makeLines, order } from "./loss-lines.ts";
import { FLUSH_MS, TIMEOUT_MS } from "./loss-settings.ts";

const DRAIN_MS = 5_000;

const given = order();
const { url, org, bucket, token, directory } = given;
const ended = ending();
const clock = systemClock;
const spool = await DurableSpool.open({ directory, clock, minFreeShare: 0 });
const rejectedLines = new RejectedLines({ directory: path.join(directory, "rejected"), clock });
const sender = new Sender(
  {
    name: "main",
    url,
    protocol: { version: "v2", org, bucket },
    credentials: { kind: "token", token: new Secret(token) },
    tls: { mode: "Plaintext" },
    headers: [],
    flush: { intervalMs: FLUSH_MS, maxLines: 5_000, maxBytes: 2 << 20 },
    timeoutMs: TIMEOUT_MS,
    gzip: true,
    maxDrainLinesPerSecond: 0,
    families: [],
    vms: { namespaces: {}, vmSelector: {} },
  },
  new Lanes("main", spool),
  {
    clock,
    rejectedLines,
    observer: { delivered: ignore, failing: ignore, recovered: ignore, notice: ignore, rejected: ignore },
  },
);
await makeLines(given, (lines) =>
  spool.append({ lines: lines.length, bytes: Buffer.from(lines.map((line) => `${line}\n`).join("")) }, [
    sender.appendCursor,
  ]),
);
await ended;
await sender.drain(AbortSignal.timeout(DRAIN_MS));
await sender.stop();
await Promise.all([spool.close(), rejectedLines.close()]);
process.exit();

function ignore(): void {
  // The benchmark queries the server for the stored lines.
}

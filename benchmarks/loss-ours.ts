// Delivers lines as the agent does: spool on disk and sender, with the defaults of the configuration except the timeout.
import path from "node:path";
import type { EffectiveTarget } from "../src/config/resolve.ts";
import { Secret } from "../src/config/secret.ts";
import { Lanes } from "../src/delivery/lanes.ts";
import { RejectedLines } from "../src/delivery/rejected-lines.ts";
import { Sender } from "../src/delivery/sender.ts";
import { systemClock, type Clock } from "../src/lib/clock.ts";
import { DurableSpool } from "../src/spool/durable-spool.ts";
import { ending, makeLines, onCalm, order } from "./loss-lines.ts";
import { FLUSH_MS, TIMEOUT_MS } from "./loss-settings.ts";

const DRAIN_MS = 5_000;
const CAPS = { maxBytes: 4 * 2 ** 30, maxAgeMs: 24 * 3_600_000 };

const given = order();
const { url, org, buckets, token, tokenMissing, clockAheadMs, directory } = given;
const ended = ending();
const clock: Clock = { ...systemClock, now: () => Date.now() + clockAheadMs };
const spool = await DurableSpool.open({ directory, clock, caps: CAPS, minFreeShare: 0 });
const rejectedLines = new RejectedLines({ directory: path.join(directory, "rejected"), clock });
const senders = buckets.map((bucket, index) => {
  const isMissing = tokenMissing && index === buckets.length - 1;
  return new Sender(targetOf(bucket, isMissing), new Lanes(bucket, spool), {
    clock,
    rejectedLines,
    observer: { delivered: ignore, failing: ignore, recovered: ignore, notice: ignore, rejected: ignore },
  });
});
onCalm(() => {
  for (const [index, bucket] of buckets.entries()) senders[index]?.update(targetOf(bucket, false));
});
await makeLines(given, (lines) =>
  spool.append(
    { lines: lines.length, bytes: Buffer.from(lines.map((line) => `${line}\n`).join("")) },
    senders.map(({ appendCursor }) => appendCursor),
  ),
);
await ended;
await Promise.all(senders.map((sender) => sender.drain(AbortSignal.timeout(DRAIN_MS))));
await Promise.all(senders.map((sender) => sender.stop()));
await Promise.all([spool.close(), rejectedLines.close()]);
process.exit();

function targetOf(bucket: string, tokenMissing: boolean): EffectiveTarget {
  return {
    name: bucket,
    url,
    protocol: { version: "v2", org, bucket },
    credentials: tokenMissing ? { kind: "missing" } : { kind: "token", token: new Secret(token) },
    tls: { mode: "Plaintext" },
    headers: [],
    flush: { intervalMs: FLUSH_MS, maxLines: 5_000, maxBytes: 2 << 20 },
    timeoutMs: TIMEOUT_MS,
    gzip: true,
    maxDrainLinesPerSecond: 0,
    families: [],
    vms: { namespaces: {}, vmSelector: {} },
  };
}

function ignore(): void {
  // The benchmark queries the server for the stored lines.
}

import { inspect } from "node:util";
import { systemClock, type Clock } from "../../src/lib/clock.ts";
import type { LineBatch } from "../../src/spool/spool.ts";
import { MemorySpool } from "../../src/spool/memory-spool.ts";
import { Lanes } from "../../src/delivery/lanes.ts";
import type { SenderOptions } from "../../src/delivery/lane-sender.ts";
import { Sender } from "../../src/delivery/sender.ts";
import type { SenderObserver } from "../../src/delivery/sender-stats.ts";
import type { EffectiveTarget } from "../../src/config/resolve.ts";
import { Secret } from "../../src/config/secret.ts";

/** Settings of an InfluxDB 2 target with short times. */
export function targetSettings(change: Partial<EffectiveTarget> = {}): EffectiveTarget {
  return {
    name: "main",
    url: "http://127.0.0.1:1",
    protocol: { version: "v2", org: "org", bucket: "metrics" },
    credentials: { kind: "none" },
    tls: { mode: "Plaintext" },
    headers: [],
    flush: { intervalMs: 1, maxLines: 5_000, maxBytes: 2 << 20 },
    timeoutMs: 10_000,
    gzip: true,
    maxDrainLinesPerSecond: 10_000_000,
    families: [],
    vms: { namespaces: {}, vmSelector: {} },
    ...change,
  };
}

export function secret(text: string): Secret {
  return new Secret(text);
}

/** Returns valid lines with the numbers from `first` on, all different. */
export function batchOf(count: number, first = 0): LineBatch {
  return batchFrom(Array.from({ length: count }, (_, index) => goodLine(first + index)));
}

export function batchFrom(lines: readonly string[]): LineBatch {
  return { lines: lines.length, bytes: Buffer.from(lines.map((line) => `${line}\n`).join("")) };
}

export function goodLine(number: number): string {
  return `vm_metrics,name=vm-${number} cpu_time=${number}i,up=true 17000000000000${String(number).padStart(5, "0")}`;
}

/** An observer that records each call as a text. */
export class ObserverLog implements SenderObserver {
  readonly events: string[] = [];

  delivered(target: string, lines: number): void {
    this.events.push(`${target} delivered ${lines}`);
  }

  failing(target: string, reason: string, detail: string): void {
    this.events.push(`${target} failing ${reason}: ${detail}`);
  }

  recovered(target: string): void {
    this.events.push(`${target} recovered`);
  }

  notice(target: string, text: string): void {
    this.events.push(`${target} notice ${text}`);
  }

  rejected(target: string, lines: number, example: string): void {
    this.events.push(`${target} rejected ${lines}: ${example}`);
  }

  of(kind: "delivered" | "failing" | "recovered" | "notice" | "rejected"): string[] {
    return this.events.filter((event) => event.split(" ")[1] === kind);
  }
}

/** The real clock, with sleeps of at most 5 milliseconds. Records the requested times. */
class ShortSleepClock implements Clock {
  readonly sleeps: number[] = [];

  now(): number {
    return systemClock.now();
  }

  monotonic(): number {
    return systemClock.monotonic();
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.sleeps.push(ms);
    return systemClock.sleep(Math.min(ms, 5), signal);
  }
}

/** A spool and one sender over real HTTP. */
export class DeliveryBench implements AsyncDisposable {
  readonly log = new ObserverLog();
  readonly clock = new ShortSleepClock();
  readonly spool = new MemorySpool({ maxBytes: 64 << 20, maxAgeMs: 3_600_000 }, systemClock);
  readonly #senders: Sender[] = [];

  start(settings: EffectiveTarget, options: Partial<SenderOptions> = {}): Sender {
    const { clock, log: observer } = this;
    const lanes = new Lanes(settings.name, this.spool);
    const sender = new Sender(settings, lanes, { clock, observer, random: () => 0.5, ...options });
    this.#senders.push(sender);
    return sender;
  }

  /** Appends lines for all senders. */
  async append(batch: LineBatch): Promise<void> {
    await this.spool.append(
      batch,
      this.#senders.map(({ appendCursor }) => appendCursor),
    );
  }

  /** Everything that could reveal a secret: events, states, and the output of `inspect`. */
  everything(): string {
    const inspected = inspect(this.#senders, { depth: 10, showHidden: true });
    return [...this.log.events, ...this.#senders.map(({ state }) => JSON.stringify(state)), inspected].join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#senders.map((sender) => sender.stop()));
  }
}

/** Waits until the condition holds; fails with the text after a minute. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + 60_000;
  while (!(await holds())) {
    if (performance.now() > giveUpAt) throw new Error(`timed out waiting until ${what}`);
    await systemClock.sleep(2);
  }
}

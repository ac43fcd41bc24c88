import { Lanes } from "../../src/delivery/lanes.ts";
import type { RejectedSink } from "../../src/delivery/rejected-lines.ts";
import { Sender } from "../../src/delivery/sender.ts";
import type { EffectiveTarget } from "../../src/config/resolve.ts";
import { MemorySpool } from "../../src/spool/memory-spool.ts";
import { batchOf, ObserverLog, targetSettings } from "./delivery.ts";
import { FakeClock } from "./fake-clock.ts";
import { MemoryTarget } from "./memory-target.ts";

export const CAPS = { maxBytes: 1 << 30, maxAgeMs: 86_400_000 };

/** One sender between a spool and a target in memory, with a fake clock. */
export class SenderBench implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly spool = new MemorySpool(CAPS, this.clock);
  readonly target = new MemoryTarget();
  readonly log = new ObserverLog();
  readonly sender: Sender;
  readonly settings: EffectiveTarget;
  #frames = 0;
  #stopped = false;

  constructor(change: Partial<EffectiveTarget> = {}, protocol = this.target.protocol, rejectedLines?: RejectedSink) {
    this.settings = targetSettings(change);
    const { clock, log: observer } = this;
    const options = { clock, observer, random: () => 1, protocolOf: () => protocol, rejectedLines };
    this.sender = new Sender(this.settings, new Lanes(this.settings.name, this.spool), options);
    // Compression takes no time on this clock.
    this.clock.isBusy = () => !this.#stopped && !this.#isWaiting;
  }

  /** Appends frames with these numbers of lines, all different. Returns the lines. */
  async append(...counts: readonly number[]): Promise<readonly string[]> {
    const batches = counts.map((count) => batchOf(count, this.#frames++ * 10_000));
    for (const batch of batches) await this.spool.append(batch, [this.sender.appendCursor]);
    await this.clock.advance(0);
    return batches.flatMap(({ bytes }) => Buffer.from(bytes).toString().trimEnd().split("\n"));
  }

  /** Stops the sender. The clock does not wait for it any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.sender.stop();
  }

  get #isWaiting(): boolean {
    return this.clock.sleeping > 0 || this.target.openRequests > 0 || this.sender.backlog.frames === 0;
  }

  get appendedLines(): number {
    return this.spool.stats.appendedLines;
  }

  /** The number of lines of each request. */
  get requests(): number[] {
    return this.target.requests.map(({ length }) => length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

import { Lanes } from "../../src/delivery/lanes.ts";
import { Sender } from "../../src/delivery/sender.ts";
import type { TargetSettings } from "../../src/delivery/target.ts";
import { MemorySpool } from "../../src/spool/memory-spool.ts";
import { batchOf, ObserverLog, targetSettings, until } from "./delivery.ts";
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
  readonly settings: TargetSettings;
  #frames = 0;

  constructor(change: Partial<TargetSettings> = {}, transport = this.target.transport) {
    this.settings = targetSettings(change);
    const options = { clock: this.clock, observer: this.log, random: () => 1, transport };
    this.sender = new Sender(this.settings, new Lanes(this.settings.name, this.spool), options);
  }

  /** Appends frames with these numbers of lines, all different; returns the lines. */
  async append(...counts: readonly number[]): Promise<readonly string[]> {
    const batches = counts.map((count) => batchOf(count, this.#frames++ * 10_000));
    for (const batch of batches) await this.spool.append(batch, [this.sender.intake]);
    await this.clock.advance(0);
    return batches.flatMap(({ bytes }) => Buffer.from(bytes).toString().trimEnd().split("\n"));
  }

  /** Advances the clock in steps, and waits at each for the sender's compression. */
  async pass(ms: number, stepMs = 5_000): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      await this.clock.advance(Math.min(left, stepMs));
      await until("the sender sleeps", () => this.clock.sleeping > 0 || this.sender.backlog.frames === 0);
    }
  }

  get appendedLines(): number {
    return this.spool.stats.appendedLines;
  }

  /** Numbers of lines of the requests. */
  get requests(): number[] {
    return this.target.requests.map(({ length }) => length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sender.stop();
  }
}

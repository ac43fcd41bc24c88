import { Sender } from "../../src/delivery/sender.ts";
import type { TargetSettings } from "../../src/delivery/target.ts";
import { MemorySpool } from "../../src/spool/memory-spool.ts";
import { batchOf, ObserverLog, targetSettings } from "./delivery.ts";
import { FakeClock } from "./fake-clock.ts";
import { MemoryTarget } from "./memory-target.ts";

export const CAPS = { maxBytes: 1 << 30, maxAgeMs: 86_400_000 };

/** One sender between a spool and a target in memory, at a time of its own. */
export class SenderBench implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly spool = new MemorySpool(CAPS, this.clock);
  readonly target = new MemoryTarget();
  readonly log = new ObserverLog();
  readonly sender: Sender;
  readonly settings: TargetSettings;
  #appended = 0;

  constructor(change: Partial<TargetSettings> = {}, transport = this.target.transport) {
    this.settings = targetSettings(change);
    const options = { clock: this.clock, observer: this.log, random: () => 1, transport };
    this.sender = new Sender(this.settings, this.spool.cursor(this.settings.name), options);
  }

  /** Appends frames of so many lines, each line unlike every other. */
  async append(...counts: readonly number[]): Promise<void> {
    for (const count of counts) await this.spool.append(batchOf(count, this.#appended++ * 10_000));
    await this.clock.advance(0);
  }

  /** How many lines each request had. */
  get requests(): number[] {
    return this.target.requests.map(({ length }) => length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sender.stop();
  }
}

import type { Clock } from "../lib/clock.ts";
import { Batcher } from "../lib/batcher.ts";
import type { TaskQueue } from "../lib/task-queue.ts";
import { within } from "../lib/within.ts";
import type { BufferedFrame, PendingFrame } from "./buffered-frame.ts";
import type { DiskMonitor } from "./disk-monitor.ts";
import type { DiskStore } from "./disk-store.ts";
import type { RecentFrames } from "./recent-frames.ts";
import { totalsOf } from "./segment.ts";

/** How long an append or a start waits for an answer of the disk. */
const DISK_TIMEOUT_MS = 5_000;

export interface CommitQueueOptions {
  readonly clock: Clock;
  readonly disk: TaskQueue;
  readonly store: DiskStore;
  readonly monitor: DiskMonitor;
  readonly recent: RecentFrames;
}

/**
 * Numbers frames, makes them durable and then publishes them to their consumers. Frames that are committed at about the
 * same time share one sync. Frames that the disk does not accept are published too, and written again with the next ones.
 */
export class CommitQueue {
  readonly #options: CommitQueueOptions;
  readonly #batcher = new Batcher<() => Promise<readonly PendingFrame[]>>((sources) => this.#commitBatch(sources));
  #unsaved: readonly BufferedFrame[] = [];
  #unpublished: readonly BufferedFrame[] = [];
  #stalled = false;
  nextSequence = 0n;

  constructor(options: CommitQueueOptions) {
    this.#options = options;
  }

  /** Frames that exist only in memory, because the disk has not accepted them. */
  get unsaved(): readonly BufferedFrame[] {
    return this.#unsaved;
  }

  /** Whether every frame has been published to its consumers. */
  get isPublished(): boolean {
    return this.#unpublished.length === 0;
  }

  /** Whether the disk hangs. No other disk operation should be queued behind the one that waits for it. */
  get isStalled(): boolean {
    return this.#stalled;
  }

  /** Resolves when the frames are durable, or in memory only because the disk fails. */
  commit(pendingFrames: () => Promise<readonly PendingFrame[]>): Promise<undefined> {
    return this.#batcher.add(pendingFrames);
  }

  idle(): Promise<void> {
    return this.#batcher.idle();
  }

  /** Writes the unsaved frames now, without waiting for the next commit. */
  async retry(): Promise<void> {
    if (this.#unsaved.length > 0) await this.#options.disk.run(() => this.#write());
  }

  /**
   * Runs a task on the disk. Resolves when it ends, or when the disk has given no answer for five seconds: then this queue is
   * stalled until the task ends. A long task calls `answered` for each part.
   */
  async onDisk(task: (answered: () => void) => Promise<void>): Promise<void> {
    const { clock, disk, monitor } = this.#options;
    let [answers, hasEnded] = [0, false];
    const answered = (): void => {
      answers++;
    };
    const ended = disk
      .run(() => task(answered))
      .then(() => {
        hasEnded = true;
        this.#stalled = false;
      });
    for (let before = -1; before < answers && !hasEnded;) {
      before = answers;
      await within(ended, DISK_TIMEOUT_MS, clock);
    }
    if (hasEnded) return;
    this.#stalled = true;
    monitor.writeFailed(new Error(`no answer from the disk within ${DISK_TIMEOUT_MS} ms`));
  }

  async #commitBatch(sources: readonly (() => Promise<readonly PendingFrame[]>)[]): Promise<void> {
    const numbered: BufferedFrame[] = [];
    for (const pendingFrames of sources) {
      for (const { frame, monotonicMs, consumers } of await pendingFrames()) {
        const sequence = this.nextSequence++;
        numbered.push({ frame: { sequence, ...frame }, monotonicMs, consumers, location: undefined });
      }
    }
    this.#unsaved = [...this.#neededFrames(), ...numbered];
    this.#unpublished = [...this.#unpublished, ...numbered];
    if (!this.#stalled) await this.onDisk(() => this.#write());
    this.#publish();
  }

  async #write(): Promise<void> {
    const { store, monitor, clock } = this.#options;
    const frames = this.#neededFrames();
    const startMs = clock.monotonic();
    try {
      const locations = frames.length > 0 ? await store.append(frames) : [];
      for (const [index, buffered] of frames.entries()) setLocation(buffered, locations[index]);
      if (frames.length > 0) monitor.writeSucceeded(clock.monotonic() - startMs);
    } catch (error) {
      monitor.writeFailed(error);
    }
    this.#unsaved = this.#unsaved.filter(({ location }) => location === undefined);
    // No await between `setLocation` and this: a consumer could read a frame from disk and get it here a second time.
    this.#publish();
  }

  #publish(): void {
    const { recent } = this.#options;
    const frames = this.#unpublished;
    this.#unpublished = [];
    for (const buffered of frames) {
      recent.add(buffered);
      for (const consumer of buffered.consumers) {
        if (consumer.next <= buffered.frame.sequence) consumer.push(buffered);
        else buffered.consumers.delete(consumer);
      }
    }
    // Before `trim`, which takes the consumers from the frames that it evicts.
    const waiting = new Set(frames.flatMap(({ consumers }) => [...consumers]));
    recent.trim();
    for (const consumer of waiting) consumer.wake();
  }

  #neededFrames(): readonly BufferedFrame[] {
    return this.#unsaved.filter(({ consumers }) => consumers.size > 0);
  }
}

/** Notes where a frame is on disk, and counts it in the segment for each target that still needs it. */
function setLocation(buffered: BufferedFrame, location: BufferedFrame["location"]): void {
  buffered.location = location;
  for (const { name, next } of buffered.consumers)
    if (next <= buffered.frame.sequence) location?.segment.addPending(name, totalsOf(buffered.frame));
}

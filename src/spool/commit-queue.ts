import type { Clock } from "../lib/clock.ts";
import { Batcher } from "../lib/batcher.ts";
import type { TaskQueue } from "../lib/task-queue.ts";
import type { DiskRecord } from "./disk-record.ts";
import type { DiskStore } from "./disk-store.ts";
import type { Draft, Kept } from "./kept.ts";
import type { RecentFrames } from "./recent-frames.ts";
import { totalsOf } from "./segment.ts";

/** A disk that hangs for longer keeps nobody waiting. */
const PATIENCE_MS = 5_000;

export interface CommitQueueOptions {
  readonly clock: Clock;
  readonly disk: TaskQueue;
  readonly store: DiskStore;
  readonly record: DiskRecord;
  readonly recent: RecentFrames;
}

/**
 * Gives frames their numbers, makes them durable and only then shows them to their readers. What is appended at one time
 * shares one sync. Frames that the disk does not take are shown all the same, and tried again with the next.
 */
export class CommitQueue {
  readonly #options: CommitQueueOptions;
  readonly #intake = new Batcher<() => Promise<readonly Draft[]>>((intakes) => this.#take(intakes));
  #unsaved: readonly Kept[] = [];
  #unpublished: readonly Kept[] = [];
  #stalled = false;
  /** The number of the next frame. */
  head = 0n;

  constructor(options: CommitQueueOptions) {
    this.#options = options;
  }

  /** Frames that are in memory only, because the disk does not take them. */
  get unsaved(): readonly Kept[] {
    return this.#unsaved;
  }

  /** Whether every frame has been shown to its readers. */
  get isIdle(): boolean {
    return this.#unpublished.length === 0;
  }

  /** The disk hangs: nothing more should be asked of it. */
  get isStalled(): boolean {
    return this.#stalled;
  }

  /** Resolves when the frames are durable, or in memory because they cannot be. */
  add(drafts: () => Promise<readonly Draft[]>): Promise<undefined> {
    return this.#intake.add(drafts);
  }

  idle(): Promise<void> {
    return this.#intake.idle();
  }

  /** Tries again to write what the disk has not taken, without waiting for more to come. */
  async retry(): Promise<void> {
    if (this.#unsaved.length > 0) await this.#options.disk.run(() => this.#write());
  }

  async #take(intakes: readonly (() => Promise<readonly Draft[]>)[]): Promise<void> {
    const taken: Kept[] = [];
    for (const drafts of intakes) {
      for (const { frame, bornAtMs, readers } of await drafts())
        taken.push({ frame: { sequence: this.head++, ...frame }, bornAtMs, readers, place: undefined });
    }
    this.#unsaved = [...this.#needed(), ...taken];
    this.#unpublished = [...this.#unpublished, ...taken];
    if (!this.#stalled) await this.#save();
    this.#publish();
  }

  /** Resolves when the frames are durable, or the disk has failed, or has taken too long. */
  async #save(): Promise<void> {
    const { clock, disk, record } = this.#options;
    const waited = new AbortController();
    const late = clock.sleep(PATIENCE_MS, waited.signal).then(() => {
      if (waited.signal.aborted) return;
      this.#stalled = true;
      record.failed(new Error(`no answer from the disk within ${PATIENCE_MS} ms`));
    });
    const written = disk
      .run(() => this.#write())
      .then(() => {
        this.#stalled = false;
        waited.abort();
      });
    await Promise.race([written, late]);
  }

  async #write(): Promise<void> {
    const { store, record, clock } = this.#options;
    const frames = this.#needed();
    const begun = clock.monotonic();
    try {
      const places = frames.length > 0 ? await store.append(frames) : [];
      for (const [index, kept] of frames.entries()) located(kept, places[index]);
      if (frames.length > 0) record.worked(clock.monotonic() - begun);
    } catch (error) {
      record.failed(error);
    }
    this.#unsaved = this.#unsaved.filter(({ place }) => place === undefined);
    // In the same turn: a reader must not find on disk what it is about to be shown.
    this.#publish();
  }

  #publish(): void {
    const { recent } = this.#options;
    const frames = this.#unpublished;
    this.#unpublished = [];
    for (const kept of frames) {
      recent.add(kept);
      for (const reader of kept.readers) {
        if (reader.next <= kept.frame.sequence) reader.push(kept);
        else kept.readers.delete(reader);
      }
    }
    recent.trim();
    for (const reader of new Set(frames.flatMap(({ readers }) => [...readers]))) reader.wake();
  }

  #needed(): readonly Kept[] {
    return this.#unsaved.filter(({ readers }) => readers.size > 0);
  }
}

/** The frame is on disk now, for those who still need it. */
function located(kept: Kept, place: Kept["place"]): void {
  kept.place = place;
  for (const { name, next } of kept.readers)
    if (next <= kept.frame.sequence) place?.segment.need(name, totalsOf(kept.frame));
}

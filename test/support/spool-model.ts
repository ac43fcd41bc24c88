import assert from "node:assert/strict";
import fc from "fast-check";
import { compressLines } from "../../src/spool/gzip-member.ts";
import type { Frame, LineBatch, Spool, SpoolCaps } from "../../src/spool/spool.ts";
import { batchOf } from "./delivery.ts";
import { FakeClock } from "./fake-clock.ts";

const NAMES = ["a", "b", "c"] as const;
/** Every step compares the frames of this last time. */
const RECENT_MS = 700;

interface ModelFrame extends Pick<Frame, "lines" | "payload"> {
  readonly monotonicMs: number;
  /** The targets that still need it. */
  readonly consumers: Set<string>;
}

/** A simple, slow model of a spool: frames, and the targets that still need each. */
class SpoolModel {
  readonly #clock: FakeClock;
  #frames: ModelFrame[] = [];
  /** Target -> lines dropped by a cap. */
  readonly #droppedBy = new Map<string, number>();
  #appended = 0;
  #appendedBytes = 0;
  #dropped = 0;
  caps: SpoolCaps;

  constructor(clock: FakeClock, caps: SpoolCaps) {
    this.#clock = clock;
    this.caps = caps;
  }

  get stats(): Omit<Spool["stats"], "losses"> {
    const bytes = bytesOf(this.#frames);
    return {
      frames: this.#frames.length,
      bytes,
      appendedLines: this.#appended,
      appendedBytes: this.#appendedBytes,
      droppedLines: this.#dropped,
    };
  }

  add(name: string): void {
    if (!this.#droppedBy.has(name)) this.#droppedBy.set(name, 0);
  }

  remove(name: string): void {
    this.#droppedBy.delete(name);
    this.free(name, Infinity);
  }

  async append({ lines, bytes }: LineBatch, targets: readonly string[]): Promise<void> {
    const consumers = new Set(targets.filter((name) => this.#droppedBy.has(name)));
    this.#appended += lines;
    if (consumers.size === 0 || lines === 0) return;
    const payload = await compressLines(bytes);
    this.#appendedBytes += payload.length;
    this.#frames.push({ lines, payload, monotonicMs: this.#clock.monotonic(), consumers });
    this.enforceCaps();
  }

  waiting(name: string): readonly ModelFrame[] {
    return this.#frames.filter(({ consumers }) => consumers.has(name));
  }

  droppedBy(name: string): number | undefined {
    return this.#droppedBy.get(name);
  }

  /** Acknowledges the oldest `count` frames of a target. */
  free(name: string, count: number): void {
    for (const frame of this.waiting(name).slice(0, count)) frame.consumers.delete(name);
    this.#frames = this.#frames.filter(({ consumers }) => consumers.size > 0);
  }

  enforceCaps(): void {
    while (this.#frames[0] !== undefined) {
      const [{ monotonicMs, lines, consumers }] = this.#frames;
      const age = this.#clock.monotonic() - monotonicMs;
      if (bytesOf(this.#frames) <= this.caps.maxBytes && age <= this.caps.maxAgeMs) return;
      this.#dropped += lines * consumers.size;
      for (const name of consumers) this.#droppedBy.set(name, (this.#droppedBy.get(name) ?? 0) + lines);
      this.#frames.shift();
    }
  }
}

function bytesOf(frames: readonly ModelFrame[]): number {
  return frames.reduce((sum, { payload }) => sum + payload.length, 0);
}

const name = fc.constantFrom(...NAMES);
const lines = fc.nat(6);
const anyOperation = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("append"), lines, targets: fc.subarray([...NAMES]) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("append to all"), lines }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("deliver"), name, maxLines: fc.integer({ min: 1, max: 20 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("read"), name }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("add"), name }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("remove"), name }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("caps"), maxBytes: fc.nat(1_000), maxAgeMs: fc.nat(3_000) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("time"), ms: fc.nat(1_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart") }) },
);
type Operation = typeof anyOperation extends fc.Arbitrary<infer T> ? T : never;

/** Generates up to 60 operations on a spool. The kinds in `without` do not occur. */
export function operations(...without: readonly Operation["do"][]): fc.Arbitrary<Operation[]> {
  const operation = anyOperation.filter((each) => !without.includes(each.do));
  return fc.array(operation, { maxLength: 60, size: "max" });
}

/** A spool and its model, which run the same operations and must always agree. */
export class Comparison<S extends Spool> {
  readonly clock: FakeClock;
  readonly #open: () => Promise<S>;
  readonly #model: SpoolModel;
  readonly #present = new Set<string>();
  #appended = 0;
  spool: S;

  private constructor(spool: S, open: () => Promise<S>, clock: FakeClock, caps: SpoolCaps) {
    this.spool = spool;
    this.#open = open;
    this.clock = clock;
    this.#model = new SpoolModel(clock, caps);
  }

  static async of<S extends Spool>(caps: SpoolCaps, open: (clock: FakeClock) => Promise<S>): Promise<Comparison<S>> {
    const clock = new FakeClock();
    const comparison = new Comparison(await open(clock), () => open(clock), clock, caps);
    for (const name of NAMES.slice(0, 2)) await comparison.do({ do: "add", name });
    return comparison;
  }

  async do(what: Operation): Promise<void> {
    switch (what.do) {
      case "append":
      case "append to all": {
        const batch = batchOf(what.lines, this.#appended);
        this.#appended += what.lines;
        const targets = "targets" in what ? what.targets : undefined;
        await this.spool.append(batch, targets);
        await this.#model.append(batch, targets ?? NAMES);
        break;
      }
      case "deliver":
      case "read":
        if (this.#present.has(what.name)) await this.#read(what.name, "maxLines" in what ? what.maxLines : undefined);
        break;
      case "add":
        this.#present.add(what.name);
        this.spool.cursor(what.name);
        this.#model.add(what.name);
        break;
      case "remove":
        this.#present.delete(what.name);
        this.spool.removeCursor(what.name);
        this.#model.remove(what.name);
        break;
      case "caps":
        this.spool.caps = what;
        this.#model.caps = what;
        this.#model.enforceCaps();
        break;
      case "time":
        await this.clock.advance(what.ms);
        break;
      case "restart":
        await this.spool.close();
        this.spool = await this.#open();
        for (const name of this.#present) this.spool.cursor(name);
        break;
    }
  }

  /** Asserts that both agree on every target. */
  agree(): void {
    for (const name of this.#present) {
      const cursor = this.spool.cursor(name);
      const frames = this.#model.waiting(name);
      assert.deepEqual(cursor.backlog, { frames: frames.length, lines: linesOf(frames), bytes: bytesOf(frames) }, name);
      assert.equal(cursor.droppedLines, this.#model.droppedBy(name), name);
      assert.equal(cursor.oldest === undefined, frames.length === 0);
      const recent = cursor.recent(this.clock.now() - RECENT_MS).map(({ payload }) => payload);
      assert.deepEqual(recent, this.#recent(name).slice(-recent.length || Infinity), name);
      assert.equal(cursor.newest === undefined, frames.length === 0);
    }
  }

  /** Asserts that both agree on the totals, which holds only for a spool that drops single frames. */
  agreeOnTheWhole(): void {
    const { losses, ...stats } = this.spool.stats;
    assert.deepEqual(stats, this.#model.stats);
    assert.equal(stats.droppedLines, losses.age + losses.cap);
    for (const name of this.#present)
      assert.equal(
        this.spool.cursor(name).recent(this.clock.now() - RECENT_MS).length,
        this.#recent(name).length,
        name,
      );
  }

  /** Returns the payloads of a target's recent frames. */
  #recent(name: string): readonly Uint8Array[] {
    const sinceMs = this.clock.monotonic() - RECENT_MS;
    return this.#model.waiting(name).flatMap(({ monotonicMs, payload }) => (monotonicMs >= sinceMs ? [payload] : []));
  }

  /** Reads frames, and acknowledges them if `maxLines` is given. Asserts that both have the same frames, oldest first. */
  async #read(name: string, maxLines: number | undefined): Promise<void> {
    const cursor = this.spool.cursor(name);
    const frames = await cursor.read({ maxLines: maxLines ?? Infinity, maxRawBytes: Infinity });
    this.#model.enforceCaps();
    const expected = this.#model.waiting(name);
    assert.deepEqual(
      frames.map(({ payload }) => payload),
      expected.slice(0, frames.length).map(({ payload }) => payload),
    );
    const next = linesOf(expected.slice(0, frames.length + 1));
    assert.ok(frames.length === expected.length || next > (maxLines ?? Infinity), "read too few frames");
    assert.ok(frames.length <= 1 || linesOf(frames) <= (maxLines ?? Infinity), "read too many frames");
    if (maxLines === undefined) return;
    for (const { sequence } of frames.slice(-1)) cursor.acknowledge(sequence);
    this.#model.free(name, frames.length);
  }
}

function linesOf(frames: readonly Pick<Frame, "lines">[]): number {
  return frames.reduce((sum, frame) => sum + frame.lines, 0);
}

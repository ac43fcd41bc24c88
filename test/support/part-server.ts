// Servers without a network for the search for bad lines.
import assert from "node:assert/strict";
import { Bisection, type Send } from "../../src/delivery/bisection.ts";
import { INFLUX } from "../../src/delivery/influx/influx.ts";
import { isNotDelivered, type Outcome } from "../../src/delivery/outcome.ts";
import type { LineRequest } from "../../src/delivery/protocol.ts";
import { compressLines } from "../../src/spool/gzip-member.ts";
import type { Frame, LineBatch } from "../../src/spool/spool.ts";
import { batchFrom, goodLine } from "./delivery.ts";
import { linesOf } from "./gzip-member.ts";

export const UNLIMITED = { maxLines: 1_000_000, maxBytes: 1 << 30 };
export const REJECTED: Outcome = { kind: "rejected", detail: "HTTP 400 bad" };

export async function frameOf({ lines, bytes }: LineBatch): Promise<Frame> {
  return { sequence: 0n, lines, rawBytes: bytes.length, createdAtMs: 0, payload: await compressLines(bytes) };
}

/** Stores a request whole, or returns another outcome. */
export class PartServer {
  readonly stored: string[] = [];
  readonly requests: number[] = [];
  rejects: (lines: readonly string[]) => Outcome | undefined;

  constructor(rejects: PartServer["rejects"] = () => undefined) {
    this.rejects = rejects;
  }

  readonly send = ({ body, lines: count }: LineRequest): Promise<Outcome> => {
    const lines = linesOf(body);
    assert.equal(lines.length, count);
    this.requests.push(count);
    const outcome = this.rejects(lines);
    if (outcome === undefined) this.stored.push(...lines);
    return Promise.resolve(outcome ?? { kind: "delivered" });
  };
}

export function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, index) => goodLine(index));
}

export function anyOf(bad: ReadonlySet<string>): PartServer["rejects"] {
  return (lines) => (lines.some((line) => bad.has(line)) ? REJECTED : undefined);
}

/** Sends until all is decided. Returns an outcome that interrupts. */
export async function run(bisection: Bisection, send: Send): Promise<Outcome | undefined> {
  while (!bisection.done) {
    const outcome = await bisection.step(send);
    if (outcome !== undefined && isNotDelivered(outcome)) return outcome;
  }
  return undefined;
}

/** Returns the lines on record, sorted. */
export function bytesOf(bisection: Bisection): readonly string[] {
  const bytes = bisection.rejections.map(({ bytes: some = new Uint8Array() }) => Buffer.from(some).toString());
  return bytes.flatMap((some) => some.split("\n").filter(Boolean)).sort();
}

/** Returns a search in one frame of these lines. */
export async function search(lines: readonly string[], limits = UNLIMITED): Promise<Bisection> {
  return Bisection.of([await frameOf(batchFrom(lines))], INFLUX, limits);
}

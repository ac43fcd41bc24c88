import { Writable } from "node:stream";
import { pino } from "pino";
import type { SourceCycle } from "../../src/collection/source.ts";
import { TelemetryError } from "../../src/errors.ts";
import { NodeLog } from "../../src/node/node-log.ts";
import { NodeState } from "../../src/node/node-state.ts";
import { FakeClock } from "./fake-clock.ts";

/** A node's state and log, whose lines are entries. */
export function nodeLog(level = "debug") {
  const clock = new FakeClock();
  const entries: Record<string, unknown>[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      entries.push(JSON.parse(chunk.toString()) as Record<string, unknown>);
      done();
    },
  });
  const formatters = { level: (label: string) => ({ level: label }) };
  const log = new NodeLog(pino({ level, base: null, timestamp: false, formatters }, stream), clock);
  const state = new NodeState(log, clock);
  /** Returns the entries since the last call as `level message`. */
  const logged = (): string[] => entries.splice(0).map((entry) => `${String(entry["level"])} ${String(entry["msg"])}`);
  return { clock, log, state, entries, logged };
}

export function cycle(change: Partial<SourceCycle> = {}): SourceCycle {
  const silent = { stuck: [], busy: [], slow: [] };
  return {
    endpoint: "/run/libvirt",
    outcome: "collected",
    samples: [],
    ...silent,
    errors: [],
    tolerated: [],
    ...change,
  };
}

export function failed(message: string): SourceCycle {
  return cycle({ outcome: "failed", errors: [new TelemetryError("E_SOCKET_NOT_FOUND", message)] });
}

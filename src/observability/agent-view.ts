import type { DomainSample } from "../collection/domain-sample.ts";
import type { EffectiveConfig } from "../config/resolve.ts";
import type { RejectedStats } from "../delivery/rejected-lines.ts";
import type { SenderState } from "../delivery/sender-stats.ts";
import type { Histogram } from "../lib/histogram.ts";
import type { LineCounters } from "../measurement/line-protocol.ts";
import type { Losses } from "../spool/losses.ts";
import type { SpoolStats } from "../spool/spool.ts";
import type { ProcessView } from "./process-view.ts";
import type { WatchView } from "./watch-view.ts";

/** What an agent can tell of itself at one moment. Nothing in it is kept for this purpose only, but a few counters. */
export interface AgentView {
  readonly process: ProcessView;
  readonly node: string | undefined;
  /** Both clocks at the moment of the view, in milliseconds. */
  readonly nowMs: number;
  readonly monotonicMs: number;
  readonly config: ConfigView;
  readonly cycles: CycleView;
  readonly libvirt: LibvirtView;
  readonly lines: LineCounters;
  readonly targets: readonly TargetView[];
  readonly spool: SpoolStats;
  /** Undefined when no lines are kept that targets refuse. */
  readonly rejected: RejectedStats | undefined;
  /** Empty without Kubernetes. */
  readonly watches: readonly WatchView[];
}

export interface ConfigView {
  /** Undefined while there is none. */
  readonly active: EffectiveConfig | undefined;
  /** The file or the object that it comes from. */
  readonly source: string | undefined;
  /** Of the object. */
  readonly generation: number | undefined;
  /** Why what is asked for now is not what is in force. */
  readonly fault: { readonly reason: string; readonly message: string } | undefined;
}

export interface CycleView {
  /** Since the start. */
  readonly cycles: number;
  readonly incomplete: number;
  readonly skippedTicks: number;
  /** In seconds. */
  readonly durations: Histogram;
  /** When the work last went on, on the monotonic clock; undefined before it began. */
  readonly progressMs: number | undefined;
  /** How long it may stand still at most while all is well. */
  readonly patienceMs: number;
}

/** A libvirt daemon. Stuck: it answers, but a QEMU of it does not. Absent: that of a launcher that comes or goes. */
export type EndpointStateName = "up" | "stuck" | "failed" | "absent";

export interface EndpointView {
  readonly endpoint: string;
  readonly state: EndpointStateName;
  /** On the monotonic clock: since when the daemon answers, or does not. */
  readonly sinceMs: number;
  /** The domains of its last good cycle, and those of the one before. */
  readonly samples: readonly DomainSample[];
  readonly before: readonly DomainSample[];
  /** Names of domains whose QEMU has not answered for at least 10 seconds. */
  readonly stuck: readonly string[];
  /** Of those that a job of another client has held for as long. */
  readonly busy: readonly string[];
  readonly error: { readonly code: string; readonly message: string } | undefined;
}

export interface LibvirtView {
  readonly endpoints: readonly EndpointView[];
  readonly versions: readonly string[];
  /** Why it is not known which daemons there are. */
  readonly fault: { readonly code: string; readonly message: string } | undefined;
  /** Calls that stuck domains hold at this moment. */
  readonly heldWorkers: number;
  /** Since the start: calls that were made, and failures by code. */
  readonly calls: number;
  readonly errors: ReadonlyMap<string, number>;
}

export interface TargetView {
  readonly name: string;
  readonly url: string;
  readonly record: SenderState;
  readonly backlog: { readonly lines: number; readonly bytes: number };
  /** How old the oldest line is that waits; undefined when none does. */
  readonly oldestAgeMs: number | undefined;
  readonly losses: Losses;
}

import type { RejectionReason } from "../budget.ts";
import type { DomainDetails } from "../collection/domain-details.ts";
import type { DeviceCycles } from "../collection/domain-load.ts";
import type { LoadHistory } from "../collection/load-history.ts";
import type { DomainSample } from "../collection/domain-sample.ts";
import type { SourceError } from "../collection/source.ts";
import type { EffectiveConfig } from "../config/resolve.ts";
import type { RejectedStats } from "../delivery/rejected-lines.ts";
import type { SenderState } from "../delivery/sender-stats.ts";
import type { Histogram } from "../lib/histogram.ts";
import type { LineCounters } from "../measurement/line-protocol.ts";
import type { Losses } from "../spool/losses.ts";
import type { SpoolStats } from "../spool/spool.ts";
import type { ProcessView } from "./process-view.ts";
import type { WatchView } from "./watch-view.ts";

/** The state of an agent at one moment: the input of its status page, metrics and health. */
export interface AgentView {
  readonly process: ProcessView;
  readonly node: string | undefined;
  /** Both clocks at the moment of the view, in milliseconds. */
  readonly nowMs: number;
  readonly monotonicMs: number;
  readonly config: ConfigView;
  readonly cycles: CycleView;
  readonly libvirt: LibvirtView;
  /** The past loads of the VMs. It is not copied: a cycle later it has a cycle more. */
  readonly history: Pick<LoadHistory, "of" | "latest">;
  readonly lines: LineCounters;
  /** Lines since the start that were left out because their launcher exceeds its budget. */
  readonly leftOutLines: number;
  readonly targets: readonly TargetView[];
  readonly spool: SpoolStats;
  /** Undefined if rejected lines are not kept. */
  readonly rejected: RejectedStats | undefined;
  /** Empty without Kubernetes. */
  readonly watches: readonly WatchView[];
}

export interface ConfigView {
  /** The active configuration; undefined without one. */
  readonly active: EffectiveConfig | undefined;
  /** Its file or object. */
  readonly source: string | undefined;
  /** Of the object; undefined for a file. */
  readonly generation: number | undefined;
  /** Why the latest configuration is not the active one. */
  readonly fault: { readonly reason: string; readonly message: string } | undefined;
}

export interface CycleView {
  /** Since the start. */
  readonly cycles: number;
  readonly incomplete: number;
  readonly skippedTicks: number;
  /** In seconds. */
  readonly durations: Histogram;
  /** Monotonic time of the last progress; undefined before the first. */
  readonly progressMs: number | undefined;
  /** The longest time without progress of a healthy agent. */
  readonly patienceMs: number;
}

/** Stuck: the daemon answers, but one of its QEMUs does not. Absent: its launcher is starting or ending. */
export type EndpointStateName = "up" | "stuck" | "failed" | "absent";

export interface EndpointView {
  readonly endpoint: string;
  readonly state: EndpointStateName;
  /** Monotonic time at which the daemon began to answer, or stopped. */
  readonly sinceMs: number;
  /** The domains of its last cycle, and of the one before. */
  readonly samples: readonly DomainSample[];
  readonly before: readonly DomainSample[];
  /** UUID and id of a domain -> what the families that are off by default tell about it. */
  readonly details: ReadonlyMap<string, DomainDetails>;
  /** If not given, they are these two. */
  readonly devices?: DeviceCycles;
  /** Names of domains whose QEMU has not answered for at least 10 seconds. */
  readonly stuck: readonly string[];
  /** Names of domains that a job of another client has occupied for at least 10 seconds. */
  readonly busy: readonly string[];
  /** The error of the last cycle. If there are several, one that shows misbehavior of a launcher comes first. */
  readonly error: Pick<SourceError, "code" | "message" | "rejection"> | undefined;
}

export interface LibvirtView {
  readonly endpoints: readonly EndpointView[];
  readonly versions: readonly string[];
  /** Why the daemons of the node cannot be found. */
  readonly fault: { readonly code: string; readonly message: string } | undefined;
  /** Calls that stuck domains block at this moment. */
  readonly blockedCalls: number;
  /** Calls, and errors by code, since the start. */
  readonly calls: number;
  readonly errors: ReadonlyMap<string, number>;
  /** How often a launcher exceeded its budget since the start, for every reason. */
  readonly rejections: ReadonlyMap<RejectionReason, number>;
}

export interface TargetView {
  readonly name: string;
  readonly url: string;
  readonly record: SenderState;
  readonly backlog: { readonly lines: number; readonly bytes: number };
  /** Age of the oldest queued line; undefined if none is queued. */
  readonly oldestAgeMs: number | undefined;
  readonly losses: Losses;
}

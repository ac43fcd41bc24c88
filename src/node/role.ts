import type { Clock } from "../lib/clock.ts";
import type { ListenAddress } from "../observability/listen-address.ts";
import type { NodeParts } from "./self-view.ts";
import type { Logger } from "../log.ts";
import type { Router } from "../routing/router.ts";
import type { Pipeline, PipelineOptions } from "./pipeline.ts";

export interface NodeOptions {
  /** Infinity: until the signal. */
  readonly cycles: number;
  readonly nodeName: string | undefined;
  /** The kubelet's pods directory, in which the launchers' sockets are. */
  readonly podsDir: string | undefined;
  /** The first standard socket that exists, if neither this nor `podsDir` is given. */
  readonly libvirtSockets: readonly string[] | undefined;
  /** Where metrics, health and the status page are served; nowhere if not given. */
  readonly listen: ListenAddress | undefined;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** What both ways to run a node have in common. */
export interface NodeRole extends NodeOptions {
  readonly clock: Clock;
  readonly router: Router;
  pipeline(work: Pick<PipelineOptions, "endpoints" | "onApplied">): Pipeline;
  /** The role works from now on; this is what it can tell of itself. */
  started(parts: NodeParts): void;
}

import type { Writable } from "node:stream";
import type { LatestSamples } from "../collection/latest-samples.ts";
import type { ConfigListener, ConfigLoop } from "../config/config-loop.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../log.ts";
import type { WatchView } from "../observability/watch-view.ts";
import type { Router } from "../routing/router.ts";
import type { EndpointPlaces } from "./endpoints.ts";
import type { NodeLog } from "./node-log.ts";
import type { NodeState } from "./node-state.ts";
import type { EndpointFinder, Pipeline } from "./pipeline.ts";

export interface NodeOptions extends EndpointPlaces {
  readonly nodeName: string | undefined;
  /** A TelemetryConfig; without it the configuration comes from the cluster. */
  readonly configFile: string | undefined;
  /** Lines go here instead of to the targets, and without `configFile` the defaults apply. */
  readonly print?: Writable | undefined;
  /** For `configFile`: DIR/<secret>/<key> files stand for Secrets. */
  readonly secretsDir: string | undefined;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** The parts that every node has. */
export interface NodeParts {
  readonly router: Router;
  readonly state: NodeState;
  readonly nodeLog: NodeLog;
  readonly clock: Clock;
  /** Gets the samples of each cycle; undefined if they are not served. */
  readonly latest?: LatestSamples | undefined;
  /** Where the agent keeps what it knows of a cluster for its next start; undefined without a spool on disk. */
  readonly knownObjectsFile?: string | undefined;
}

/** The parts that differ between a node with and without a cluster. */
export interface NodeMode {
  readonly config: ConfigLoop;
  readonly findEndpoints: EndpointFinder;
  /** The agent's namespace in the cluster. */
  readonly namespace?: string;
  watches(): readonly WatchView[];
  /** Runs the configuration loop, and everything else beside the pipeline, until the signal aborts. */
  run(listener: ConfigListener, pipeline: Pipeline, signal: AbortSignal): Promise<void>;
  /** Ends what keeps `run` waiting after its signal has aborted. */
  close?(): Promise<void>;
}

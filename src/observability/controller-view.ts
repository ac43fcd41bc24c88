import type { TelemetryConfigStatus } from "../status/config-status.ts";
import type { ProcessView } from "./process-view.ts";
import type { WatchView } from "./watch-view.ts";

/** A snapshot of a controller, for its page and metrics. */
export interface ControllerView {
  readonly process: ProcessView;
  readonly nowMs: number;
  readonly identity: string;
  /** Whether this controller is the leader. A standby controller has no `configs`. */
  readonly leading: boolean;
  readonly configs: readonly ControlledConfig[];
  readonly watches: readonly WatchView[];
}

export interface ControlledConfig {
  readonly name: string;
  readonly suspended: boolean;
  /** As last written; undefined before the first write. */
  readonly status: TelemetryConfigStatus | undefined;
}

import type { TelemetryConfigStatus } from "../status/config-status.ts";
import type { ProcessView } from "./process-view.ts";
import type { WatchView } from "./watch-view.ts";

/** What a controller can tell of itself at one moment. */
export interface ControllerView {
  readonly process: ProcessView;
  readonly nowMs: number;
  readonly identity: string;
  /** Whether this is the one of all controllers that works; the others know nothing of the cluster. */
  readonly leading: boolean;
  readonly configs: readonly ControlledConfig[];
  readonly watches: readonly WatchView[];
}

export interface ControlledConfig {
  readonly name: string;
  readonly suspended: boolean;
  /** As it was written last. */
  readonly status: TelemetryConfigStatus | undefined;
}

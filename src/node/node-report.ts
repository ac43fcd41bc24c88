import type { GoverningConfig } from "../cluster/config-source.ts";
import type { VmiWatch } from "../cluster/vmi-watch.ts";
import { isMisbehavior, isSampledLessOften } from "../collection/source.ts";
import type { ConfigLoop } from "../config/config-loop.ts";
import type { LauncherSockets } from "../discovery/launcher-sockets.ts";
import type { VmiInventory } from "../discovery/inventory.ts";
import { messageOf } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import type { Router } from "../routing/router.ts";
import type { LibvirtFailure, NodeObservation } from "../status/node-report.ts";
import { answers, type EndpointSummary } from "./endpoint-states.ts";
import type { NodeState } from "./node-state.ts";
import type { Pipeline } from "./pipeline.ts";
import { isDenied } from "../lib/error-code.ts";

export interface ReportOptions {
  readonly agent: NodeObservation["agent"];
  readonly podsDir: string;
  readonly state: Pick<NodeState, "endpoints">;
  readonly pipeline: Pick<Pipeline, "stats">;
  readonly router: Pick<Router, "senders" | "droppedLines">;
  readonly inventory: Pick<VmiInventory, "runsHere">;
  readonly vmis: Pick<VmiWatch, "fault">;
  readonly launchers: Pick<LauncherSockets, "error" | "launchers" | "unusable">;
  readonly config: Pick<ConfigLoop<GoverningConfig>, "origin" | "fault">;
  readonly selectedBy: () => readonly string[];
  readonly clock: Clock;
}

/** How long a launcher that is starting or ending may be without a daemon. */
const ABSENT_MS = 60_000;
/** A loss to a cap is reported for this long. */
const LOSS_MS = 300_000;

/** Observes the node for its report. */
export class NodeReport {
  readonly #options: ReportOptions;
  #droppedLines = 0;
  #lostAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: ReportOptions) {
    this.#options = options;
  }

  observe(): NodeObservation {
    const { agent, config, selectedBy, state, pipeline, router, vmis } = this.#options;
    const reachable = state.endpoints.summaries.filter(({ error }) => error?.code !== "E_LIBVIRT_UNREACHABLE");
    return {
      agent,
      config: config.origin,
      selectedBy: selectedBy(),
      configFault: this.#configFault(),
      namesFault: vmis.fault,
      libvirt: {
        versions: pipeline.stats.versions,
        endpoints: reachable.length,
        answering: this.#options.launchers.error === undefined ? reachable.filter(answersFully).length : 0,
        domains: state.endpoints.domains,
        failures: this.#failures(),
        misbehavior: this.#messages(isMisbehavior),
        sampledLessOften: this.#messages(isSampledLessOften),
      },
      targets: router.senders.map(({ name, state: { state, sinceMs, reason, detail } }) => ({
        name,
        state,
        sinceMs,
        reason,
        detail,
      })),
      bufferFault: this.#bufferFault(),
    };
  }

  #configFault(): NodeObservation["configFault"] {
    const { reason, error } = this.#options.config.fault ?? {};
    // With a configuration file the reason is an error code, but then the agent writes no report.
    const isReported = reason === "InvalidConfig" || reason === "SecretNotFound";
    return isReported && error !== undefined ? { reason, message: error.message } : undefined;
  }

  /** Returns the messages of the launchers' errors of one kind. */
  #messages(isOfKind: (error: NonNullable<EndpointSummary["error"]>) => boolean): string[] {
    return this.#options.state.endpoints.summaries.flatMap(({ error }) =>
      error !== undefined && isOfKind(error) ? [error.message] : [],
    );
  }

  #failures(): LibvirtFailure[] {
    const { launchers, inventory, podsDir, state } = this.#options;
    const { error } = launchers;
    if (error !== undefined) return [{ where: podsDir, denied: isDenied(error), message: messageOf(error) }];
    // Any pod can look like a launcher, so only the launchers of VMIs that run here count, as in `vmiEndpoints`.
    const unusable = launchers.unusable.flatMap(({ podUid, reason }): LibvirtFailure[] => {
      const where = `${podsDir}/${podUid}`;
      if (!inventory.runsHere(podUid)) return [];
      const denied = reason === "denied";
      return [
        { where, denied, message: denied ? "the agent may not read it" : "virt-handler marked it as unresponsive" },
      ];
    });
    // They are endpoints, too, but only while there is a configuration.
    const reported = new Set(launchers.unusable.map(({ where }) => where));
    const sockets = new Map(launchers.launchers.map(({ podUid, socket }) => [socket, podUid]));
    const failed = state.endpoints.summaries
      .filter(({ endpoint }) => !reported.has(endpoint))
      .flatMap((view) => this.#failure(view, sockets.get(view.endpoint)));
    return [...unusable, ...failed];
  }

  #failure(view: EndpointSummary, podUid: string | undefined): LibvirtFailure[] {
    const { endpoint: where, state, error, stuck, busy, sinceMs } = view;
    if (answers(view))
      return [
        ...stuck.map((domain) => `the QEMU of ${domain} does not answer`),
        ...busy.map((domain) => `${domain} is busy with a job of another client`),
      ].map((message) => ({ where, denied: false, message }));
    if (error !== undefined && isMisbehavior(error)) return [];
    if (state === "absent" && podUid !== undefined && !this.#isMissed(podUid, sinceMs)) return [];
    return [{ where, denied: error?.code === "E_LIBVIRT_DENIED", message: error?.message ?? "no answer" }];
  }

  /** Returns whether a launcher without a daemon should have one: its VMI runs here, and it has had time to start. */
  #isMissed(podUid: string, sinceMs: number): boolean {
    const { clock, inventory } = this.#options;
    return clock.monotonic() - sinceMs > ABSENT_MS && inventory.runsHere(podUid);
  }

  #bufferFault(): NodeObservation["bufferFault"] {
    const { router, clock } = this.#options;
    const dropped = router.droppedLines;
    if (dropped > this.#droppedLines) this.#lostAtMs = clock.monotonic();
    this.#droppedLines = dropped;
    if (clock.monotonic() - this.#lostAtMs > LOSS_MS) return undefined;
    return { reason: "BufferFull", message: `${dropped} lines were dropped since the agent started` };
  }
}

function answersFully(view: EndpointSummary): boolean {
  return answers(view) && view.stuck.length === 0 && view.busy.length === 0;
}

import type { Governing, ConfigFault } from "../cluster/config-follower.ts";
import type { LauncherSockets } from "../discovery/launcher-sockets.ts";
import type { VmiInventory } from "../discovery/inventory.ts";
import { messageOf } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import type { EndpointView } from "../observability/agent-view.ts";
import { answers } from "./endpoint-views.ts";
import type { Router } from "../routing/router.ts";
import type { Pipeline } from "./pipeline.ts";
import type { LibvirtFailure, NodeObservation } from "../status/node-report.ts";

export interface ObservedNode {
  readonly agent: NodeObservation["agent"];
  readonly nodeName: string;
  readonly podsDir: string;
  readonly pipeline: Pick<Pipeline, "views" | "libvirtVersions">;
  readonly router: Pick<Router, "senders" | "droppedLines">;
  readonly inventory: Pick<VmiInventory, "vmiOf">;
  readonly launchers: Pick<LauncherSockets, "error" | "launchers" | "podsInState">;
  readonly config: {
    readonly governing: Governing | undefined;
    readonly selectedBy: readonly string[];
    readonly fault: ConfigFault | undefined;
  };
  readonly clock: Clock;
}

/** A launcher that has just started or is about to end has no daemon for a moment. */
const ABSENT_MS = 60_000;
/** A loss to a cap stays worth saying for this long. */
const LOSS_MS = 300_000;

/** Looks at all parts of the node role; what it returns becomes the node's report. */
export class NodeObserver {
  readonly #node: ObservedNode;
  #droppedLines = 0;
  #lostAtMs = Number.NEGATIVE_INFINITY;

  constructor(node: ObservedNode) {
    this.#node = node;
  }

  observe(): NodeObservation {
    const { agent, config, pipeline, router } = this.#node;
    const endpoints = pipeline.views.endpoints.filter(({ error }) => error?.code !== "E_LIBVIRT_UNREACHABLE");
    return {
      agent,
      config: config.governing,
      selectedBy: config.selectedBy,
      configFault: config.fault,
      libvirt: {
        versions: pipeline.libvirtVersions,
        endpoints: endpoints.length,
        domains: pipeline.views.domains,
        failures: this.#failures(),
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

  #failures(): LibvirtFailure[] {
    const { launchers, inventory, podsDir, pipeline } = this.#node;
    const { error } = launchers;
    if (error !== undefined) return [{ where: podsDir, denied: isDenied(error), message: messageOf(error) }];
    // Any pod can look like a launcher: only those of VMIs count.
    const denied = launchers
      .podsInState("denied")
      .filter((podUid) => inventory.vmiOf(podUid) !== undefined)
      .map((podUid) => ({ where: `${podsDir}/${podUid}`, denied: true, message: "the agent may not look into it" }));
    const givenUp = launchers
      .podsInState("unresponsive")
      .filter((podUid) => this.#isHere(podUid))
      .map((podUid) => ({ where: `${podsDir}/${podUid}`, denied: false, message: "virt-handler has given it up" }));
    const sockets = new Map(launchers.launchers.map(({ podUid, socket }) => [socket, podUid]));
    const failed = pipeline.views.endpoints.flatMap((view) => this.#failure(view, sockets.get(view.endpoint)));
    return [...denied, ...givenUp, ...failed];
  }

  #failure(view: EndpointView, podUid: string | undefined): LibvirtFailure[] {
    const { endpoint: where, state, error, stuck, busy, sinceMs } = view;
    if (answers(view))
      return [
        ...stuck.map((domain) => `the QEMU of ${domain} does not answer`),
        ...busy.map((domain) => `${domain} is busy with a job of another client`),
      ].map((message) => ({ where, denied: false, message }));
    if (state === "absent" && podUid !== undefined && !this.#isMissed(podUid, sinceMs)) return [];
    return [{ where, denied: error?.code === "E_LIBVIRT_DENIED", message: error?.message ?? "no answer" }];
  }

  /** Whether a launcher without a daemon should have one: its VMI is said to run here, and not only since a moment ago. */
  #isMissed(podUid: string, sinceMs: number): boolean {
    return this.#node.clock.monotonic() - sinceMs > ABSENT_MS && this.#isHere(podUid);
  }

  /** Whether a VMI is said to run in the pod, on this node: not that of a pod that ends or of a migration's destination. */
  #isHere(podUid: string): boolean {
    const { inventory, nodeName } = this.#node;
    return inventory.vmiOf(podUid)?.nodeName === nodeName;
  }

  #bufferFault(): NodeObservation["bufferFault"] {
    const { router, clock } = this.#node;
    const dropped = router.droppedLines;
    if (dropped > this.#droppedLines) this.#lostAtMs = clock.monotonic();
    this.#droppedLines = dropped;
    if (clock.monotonic() - this.#lostAtMs > LOSS_MS) return undefined;
    return { reason: "BufferFull", message: `${dropped} lines were dropped since the agent started` };
  }
}

function isDenied(error: unknown): boolean {
  return ["EACCES", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "");
}

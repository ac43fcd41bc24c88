import type { LabelSelector } from "./schema.ts";
import { matchesLabels, type Labels } from "./selectors.ts";

/** What of a TelemetryConfig decides which nodes it governs. */
export interface Candidate {
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly createdMs: number;
  readonly state: "Active" | "Suspended";
  readonly priority: number;
  readonly nodeSelector: LabelSelector;
}

/** Why an object lost a node to another. */
type OverrideReason = "HigherPriority" | "OlderObject" | "NameOrder";

export interface Selection<Config extends Candidate> {
  /** Undefined: no Active object selects the node. */
  readonly governing: Config | undefined;
  /** The other Active objects that select the node, in the order in which they would take over. */
  readonly overridden: readonly { readonly config: Config; readonly reason: OverrideReason }[];
}

/**
 * Which object governs a node: of the Active ones that select it the highest priority, then the oldest, then the first
 * by name. A function of its arguments only, so that every agent and the controller agree without talking.
 */
export function selectConfig<Config extends Candidate>(configs: Iterable<Config>, labels: Labels): Selection<Config> {
  const [governing, ...others] = [...configs]
    .filter(({ state, nodeSelector }) => state === "Active" && matchesLabels(nodeSelector, labels))
    .sort(byPrecedence);
  return {
    governing,
    overridden:
      governing === undefined ? [] : others.map((config) => ({ config, reason: reasonOf(governing, config) })),
  };
}

function byPrecedence(a: Candidate, b: Candidate): number {
  return b.priority - a.priority || a.createdMs - b.createdMs || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

function reasonOf(winner: Candidate, loser: Candidate): OverrideReason {
  if (winner.priority !== loser.priority) return "HigherPriority";
  return winner.createdMs !== loser.createdMs ? "OlderObject" : "NameOrder";
}

import type { LabelSelector } from "./schema.ts";
import { matchesLabels, type Labels } from "./selectors.ts";

/** The fields of a TelemetryConfig that decide which nodes it governs. */
export interface Candidate {
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly createdMs: number;
  readonly state: "Active" | "Suspended";
  readonly priority: number;
  readonly nodeSelector: LabelSelector;
}

export interface Selection<Config extends Candidate> {
  /** Undefined: no Active object selects the node. */
  readonly governing: Config | undefined;
  /** The other Active objects that select the node, the next to govern first. */
  readonly overridden: readonly Config[];
}

/**
 * Returns the object that governs a node: of the Active objects that select it, the one with the highest priority, then
 * the oldest, then the first by name. It depends only on its arguments, so all agents and the controller agree without
 * communicating.
 */
export function selectConfig<Config extends Candidate>(configs: Iterable<Config>, labels: Labels): Selection<Config> {
  const [governing, ...overridden] = [...configs]
    .filter(({ state, nodeSelector }) => state === "Active" && matchesLabels(nodeSelector, labels))
    .sort(byPrecedence);
  return { governing, overridden };
}

function byPrecedence(a: Candidate, b: Candidate): number {
  return b.priority - a.priority || a.createdMs - b.createdMs || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

import type { NodeMigration } from "../../discovery/named-domain.ts";
import type { DomainRef } from "../../libvirt/types.ts";

/** Knows which steps of the live migrations have been passed on. */
export class MigrationSteps {
  readonly #sinceMs: number;
  /** Domain -> its last migration and the steps that were passed on. */
  readonly #known = new Map<string, { readonly uid: string; readonly details: Set<string> }>();

  /** `sinceMs`: earlier steps have happened before anything was observed. In milliseconds since the epoch. */
  constructor(sinceMs: number) {
    // Times of Kubernetes are whole seconds.
    this.#sinceMs = Math.floor(sinceMs / 1000) * 1000;
  }

  /** Returns the steps that this function has not returned before. */
  newSteps(uuid: string, { uid, steps }: NodeMigration): NodeMigration["steps"] {
    let known = this.#known.get(uuid);
    if (known?.uid !== uid) {
      known = { uid, details: new Set() };
      this.#known.set(uuid, known);
    }
    const { details } = known;
    return steps.filter(({ detail, atMs }) => {
      if (atMs < this.#sinceMs || details.has(detail)) return false;
      details.add(detail);
      return true;
    });
  }

  /** Forgets all other domains. */
  retain(domains: readonly DomainRef[]): void {
    if (this.#known.size === 0) return;
    const uuids = new Set(domains.map(({ uuid }) => uuid));
    for (const uuid of this.#known.keys()) if (!uuids.has(uuid)) this.#known.delete(uuid);
  }
}

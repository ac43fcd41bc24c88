import type { LauncherBudget } from "../budget.ts";
import type { BudgetError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import type { SpoolStats } from "../spool/spool.ts";
import { EndpointQuota } from "./endpoint-quota.ts";
import { SpoolShares, type Written } from "./spool-shares.ts";

/** An endpoint as a quota sees it. */
interface BudgetedEndpoint {
  readonly socket: string;
  /** Without a budget nothing is limited. */
  readonly budget?: LauncherBudget;
}

/** The quotas of the launchers of a node. */
export class Quotas {
  readonly #clock: Clock;
  readonly #quotas = new Map<string, EndpointQuota>();
  /** Those of launchers that are gone, until their hour is over. A launcher can remove its socket and create it again. */
  readonly #gone = new Map<string, EndpointQuota>();
  readonly #shares = new SpoolShares();
  #leftOutLines = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Returns the quota of an endpoint; undefined if it has no budget. */
  of(endpoint: string): EndpointQuota | undefined {
    return this.#quotas.get(endpoint);
  }

  /** Number of lines since the start that no launcher was allowed to write. */
  get leftOutLines(): number {
    return this.#leftOutLines;
  }

  /** Ends a cycle of one endpoint. Returns an error for each reason for which lines were left out. */
  endCycle(endpoint: string): readonly BudgetError[] {
    const quota = this.#quotas.get(endpoint);
    if (quota === undefined) return [];
    const { leftOutLines, errors } = quota.endCycle();
    this.#leftOutLines += leftOutLines;
    return errors;
  }

  /** Sets the endpoints of the next cycle. Each that has a budget has a quota, the same if it returns within an hour. */
  retain(endpoints: readonly BudgetedEndpoint[]): void {
    const listed = new Set<string>();
    for (const { socket, budget } of endpoints) {
      if (budget === undefined) continue;
      listed.add(socket);
      if (this.#quotas.has(socket)) continue;
      this.#quotas.set(socket, this.#gone.get(socket) ?? new EndpointQuota(budget, this.#clock));
      this.#gone.delete(socket);
    }
    for (const [socket, quota] of this.#quotas) {
      if (listed.has(socket)) continue;
      this.#quotas.delete(socket);
      this.#gone.set(socket, quota);
      quota.pause();
    }
    for (const [socket, quota] of this.#gone) if (quota.isHourOver) this.#gone.delete(socket);
  }

  /** Applies a configuration. Its tags make other series, which are not charged to the launchers. */
  configure(maxSpoolBytes: number): void {
    this.#shares.maxBytes = maxSpoolBytes;
    for (const quota of this.#all) quota.startHour();
  }

  /** Returns what each launcher has written since the last call. `bytes` is the sum over all endpoints. */
  takeWritten(bytes: number): Written {
    return { launchers: new Map(this.#all.map((quota) => [quota, quota.takeBytes()])), bytes };
  }

  /** Divides the spool again, after lines were appended. */
  updateShares(written: Written, stats: SpoolStats): void {
    this.#shares.update(this.#all, written, stats);
  }

  get #all(): readonly EndpointQuota[] {
    return [...this.#quotas.values(), ...this.#gone.values()];
  }
}

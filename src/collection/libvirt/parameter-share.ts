import { OWN_PARAMETERS, type LauncherBudget } from "../../budget.ts";
import { BudgetError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";
import { STATS_GROUP } from "../../libvirt/protocol.ts";
import type { ParameterShares } from "../../libvirt/parameter-shares.ts";
import type { DomainStats } from "../../libvirt/types.ts";
import type { SourceCycle } from "../source.ts";

/** To read this many characters of XML, with new series for its devices, takes as long as one parameter with its lines. */
const XML_CHARACTERS = 8;
/** XML that is read again within this time, because the devices differ, is charged. */
const XML_PERIOD_MS = 60_000;

type ErrorLists = Pick<SourceCycle, "errors" | "tolerated">;

/** The share of one launcher in the parameters that all launchers send. Without a budget it has no limit. */
export class ParameterShare {
  readonly #shares: ParameterShares;
  readonly #perSecond: number | undefined;
  readonly #clock: Pick<Clock, "monotonic">;
  #xmlReadMs = Number.NEGATIVE_INFINITY;
  /** Time of the last `isDue`. A reply counts from then on, however late it comes. */
  #dueMs = 0;
  /** What was received and is not charged yet. */
  #parameters = 0;
  #xmlLength = 0;

  constructor(shares: ParameterShares, budget: LauncherBudget | undefined, clock: Pick<Clock, "monotonic">) {
    this.#shares = shares;
    this.#perSecond = budget?.sharedParameters;
    this.#clock = clock;
  }

  /** Returns whether the launcher is sampled in this cycle. Called once in each cycle. */
  isDue(): boolean {
    // Replies that came late.
    if (this.#parameters > 0) this.charge();
    if (this.#perSecond === undefined) return true;
    this.#dueMs = this.#clock.monotonic();
    return this.#shares.allows(this, this.#perSecond, this.#dueMs);
  }

  /** Counts the parameters of a reply. Those of vCPUs are free if they were requested: each launcher has its own limit for them. */
  readonly count = (stats: readonly DomainStats[], groups: number): void => {
    const hasVcpus = (groups & STATS_GROUP.VCPU) !== 0;
    for (const { params } of stats)
      this.#parameters += hasVcpus && params.size > OWN_PARAMETERS ? countWithoutVcpus(params) : params.size;
  };

  /** Records what was received since the last call. */
  charge(): void {
    if (this.#perSecond === undefined) return;
    const beyond = this.#parameters + this.#xmlLength / XML_CHARACTERS - OWN_PARAMETERS;
    this.#shares.record(this, beyond, this.#dueMs);
    this.#parameters = 0;
    this.#xmlLength = 0;
  }

  /** Records that the XML of a domain was read. Once in `ttlMs` this is free. */
  recordXml(length: number, ttlMs: number): void {
    const nowMs = this.#clock.monotonic();
    if (nowMs - this.#xmlReadMs < Math.min(XML_PERIOD_MS, ttlMs)) this.#xmlLength += length;
    this.#xmlReadMs = nowMs;
  }

  /** Returns the errors of a cycle, with one more if the launcher of `vm` is sampled less often than in every cycle. */
  addError(lists: ErrorLists, vm: string | undefined): ErrorLists {
    if (this.#perSecond === undefined || !this.#shares.isLimited(this, this.#perSecond)) return lists;
    const launcher = vm === undefined ? "this launcher" : `the launcher of ${vm}`;
    const limit = `all launchers together send more than ${this.#perSecond} parameters a second beyond their own`;
    const remedy =
      "raise agent.launcherLimits.sharedParameters of the chart (--launcher-limit), or set a longer interval";
    const error = new BudgetError("SharedParameters", `${launcher} is sampled less often: ${remedy}; ${limit}`);
    return { ...lists, errors: [...lists.errors, error] };
  }

  giveBack(): void {
    this.#shares.forget(this);
  }
}

function countWithoutVcpus(params: DomainStats["params"]): number {
  let count = 0;
  for (const name of params.keys()) if (!name.startsWith("vcpu.")) count++;
  return count;
}

import type { SourceCycle } from "./collection/source.ts";
import type { DomainIdentity } from "./collection/domain-sample.ts";
import type { EffectiveConfig } from "./config/resolve.ts";
import type { SenderObserver } from "./delivery/sender.ts";
import type { TelemetryError } from "./errors.ts";
import type { Clock } from "./lib/clock.ts";
import { RateLimit, WARNING_PERIOD_MS } from "./lib/rate-limit.ts";
import type { Logger } from "./log.ts";
import type { SpoolObserver } from "./spool/disk-monitor.ts";

const SUMMARY_PERIOD_MS = 60_000;

interface EndpointState {
  outcome: SourceCycle["outcome"] | undefined;
  /** Domains without values of QEMU -> why, of those that a warning was given for. */
  silent: ReadonlyMap<string, string>;
  domains: ReadonlyMap<string, string>;
}

interface MissingValue {
  domains: number;
  last: DomainIdentity;
}

/** Says in the log what changes: endpoints, domains and targets that come and go. What lasts is said rarely. */
export class AgentLog implements SenderObserver {
  /** What becomes of the spool on disk. */
  readonly spool: SpoolObserver = {
    failing: ({ code, message }) => {
      this.#log.error({ code }, `lines are kept in memory only: ${message}`);
    },
    recovered: () => {
      this.#log.info("lines are kept on disk again");
    },
    found: ({ code, message }) => {
      if (this.#warnings.allows(code)) this.#log.warn({ code }, message);
    },
    takenOver: (directory, lines) => {
      this.#log.info({ directory, lines }, "took over what another agent left in the spool");
    },
  };
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #warnings: RateLimit;
  readonly #endpoints = new Map<string, EndpointState>();
  readonly #missing = new Map<string, MissingValue>();
  readonly #altered = new Map<string, number>();
  #summary = { cycles: 0, failedCycles: 0, domains: 0, lines: 0, deliveredLines: 0, rejectedLines: 0 };
  #totals: Readonly<Record<string, number>> = {};
  #summaryDue: number;

  constructor(log: Logger, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
    this.#warnings = new RateLimit(WARNING_PERIOD_MS, clock);
    this.#summaryDue = clock.monotonic() + SUMMARY_PERIOD_MS;
  }

  /** The configuration has changed, between two cycles. */
  configured(before: EffectiveConfig | undefined, after: EffectiveConfig | undefined): void {
    // Why there is none was said by whoever found out.
    if (after === undefined) this.#log.debug("no configuration any more");
    else
      this.#log.info(describeConfig(after), before === undefined ? "configuration in force" : "configuration changed");
  }

  endpointCycle(cycle: SourceCycle): void {
    const { endpoint, outcome, errors } = cycle;
    const state = this.#endpoints.get(endpoint) ?? { outcome: undefined, silent: new Map(), domains: new Map() };
    this.#endpoints.set(endpoint, state);
    if (outcome === "skipped") return;
    const { outcome: before } = state;
    state.outcome = outcome;
    const [error] = errors;
    if (outcome === "absent" && before !== "absent") this.#log.debug({ endpoint }, "the launcher is not up");
    for (const { code, message } of cycle.tolerated) this.#log.debug({ endpoint, code }, `no fault yet: ${message}`);
    if (outcome === "failed" && before !== "failed")
      this.#log.warn(
        { endpoint, ...(error && loggable(error)) },
        `no statistics from libvirt: ${error?.message ?? ""}`,
      );
    if (outcome !== "collected") return;
    if (before === "failed") this.#log.info({ endpoint }, "libvirt answers again");
    for (const each of errors) {
      if (this.#warnings.allows(`${endpoint} ${each.code} ${each.message}`)) {
        this.#log.warn({ endpoint, ...loggable(each) }, each.message);
      }
    }
    this.#domains(state, cycle);
  }

  /** A failure of the cycle that belongs to no endpoint. */
  fault(error: TelemetryError): void {
    if (this.#warnings.allows(`${error.code} ${error.message}`)) this.#log.error(loggable(error), error.message);
  }

  /** Forgets the endpoints that are not among these. */
  retainEndpoints(endpoints: ReadonlySet<string>): void {
    for (const endpoint of this.#endpoints.keys()) if (!endpoints.has(endpoint)) this.#endpoints.delete(endpoint);
  }

  /** A value that libvirt did not report for a domain; said once for all domains of a cycle. */
  missing(field: string, domain: DomainIdentity): void {
    const known = this.#missing.get(field);
    if (known === undefined) this.#missing.set(field, { domains: 1, last: domain });
    // Once for each device, one domain after the other.
    else if (known.last !== domain) {
      known.domains++;
      known.last = domain;
    }
  }

  /** Values that had to be changed because line protocol has no form for them: kind -> how many so far. */
  altered(counters: Readonly<Record<string, number>>): void {
    for (const [kind, total] of Object.entries(counters)) {
      const before = this.#altered.get(kind) ?? 0;
      if (total === before || !this.#warnings.allows(`altered ${kind}`)) continue;
      this.#altered.set(kind, total);
      this.#log.warn({ kind, values: total - before }, "values that line protocol cannot hold were changed");
    }
  }

  cycle({
    domains,
    lines,
    durationMs,
    failed,
  }: {
    domains: number;
    lines: number;
    durationMs: number;
    failed: boolean;
  }): void {
    this.#log.debug({ domains, lines, ms: Math.round(durationMs) }, "cycle");
    this.#summary.cycles++;
    this.#summary.failedCycles += failed ? 1 : 0;
    this.#summary.domains = domains;
    this.#summary.lines += lines;
    this.#sayMissing();
  }

  /** Once a minute, one line of what was done. `totals` are counted from the start; what they grew by is said. */
  summarize(totals: Readonly<Record<string, number>>): void {
    if (this.#clock.monotonic() < this.#summaryDue) return;
    this.#summaryDue = this.#clock.monotonic() + SUMMARY_PERIOD_MS;
    const grown = Object.entries(totals).map(([name, total]) => [name, total - (this.#totals[name] ?? 0)]);
    this.#log.info({ ...this.#summary, ...Object.fromEntries(grown) }, "last minute");
    this.#totals = totals;
    this.#summary = { cycles: 0, failedCycles: 0, domains: 0, lines: 0, deliveredLines: 0, rejectedLines: 0 };
  }

  delivered(target: string, lines: number, durationMs: number): void {
    this.#summary.deliveredLines += lines;
    this.#log.debug({ target, lines, ms: Math.round(durationMs) }, "delivered");
  }

  failing(target: string, reason: string, detail: string): void {
    this.#log.warn({ target, reason }, `target does not take lines, they wait: ${detail}`);
  }

  recovered(target: string): void {
    this.#log.info({ target }, "target takes lines again");
  }

  rejected(target: string, lines: number, example: string): void {
    this.#summary.rejectedLines += lines;
    if (this.#warnings.allows(`rejected ${target}`))
      this.#log.error({ target, lines }, `target refuses lines for good: ${example}`);
  }

  /** A warning, because what is written instead may be a zero; one for all fields that it is due for. */
  #sayMissing(): void {
    const due = [...this.#missing].filter(([field]) => this.#warnings.allows(`missing ${field}`));
    this.#missing.clear();
    const example = due.at(-1)?.[1].last;
    if (example === undefined) return;
    const domains = Object.fromEntries(due.map(([field, { domains }]) => [field, domains]));
    const { namespace, name } = example;
    this.#log.warn(
      { domains, example: namespace === undefined ? name : `${namespace}/${name}` },
      "values that libvirt does not report, and for how many domains",
    );
  }

  #domains(state: EndpointState, { endpoint, samples, stuck, busy, slow }: SourceCycle): void {
    const silent = new Map([
      ...stuck.map((domain) => [domain, "QEMU does not answer libvirt"] as const),
      ...busy.map((domain) => [domain, "the domain is busy with a job of another client"] as const),
    ]);
    for (const [domain, why] of silent)
      if (state.silent.get(domain) !== why)
        this.#log.warn({ endpoint, domain }, `${why}: no disk values and totals for this domain`);
    for (const domain of state.silent.keys())
      if (!silent.has(domain))
        this.#log.info({ endpoint, domain }, "QEMU answers libvirt again, or the domain is gone");
    state.silent = silent;
    if (slow.length > 0) this.#log.debug({ endpoint, domains: slow }, "QEMU has not answered in this cycle");
    const domains = new Map(samples.map(({ identity }) => [`${identity.uuid}/${identity.id}`, identity.name]));
    for (const [run, domain] of domains)
      if (!state.domains.has(run)) this.#log.debug({ endpoint, domain }, "domain appeared");
    for (const [run, domain] of state.domains)
      if (!domains.has(run)) this.#log.debug({ endpoint, domain }, "domain gone");
    state.domains = domains;
  }
}

/** The code of an error, and the stack of one that was not planned, which is in its cause. */
function loggable({ code, cause }: SourceCycle["errors"][number]): object {
  return { code, ...(code === "E_INTERNAL" && { err: cause }) };
}

/** What the log may say of a configuration. */
function describeConfig({ state, intervalMs, families, targets }: EffectiveConfig): object {
  return {
    state,
    intervalMs,
    families,
    targets: targets.map(({ name, url, protocol }) => ({ name, url, version: protocol.version })),
  };
}

import type { SourceCycle, SourceError } from "../collection/source.ts";
import type { ConfigFault } from "../config/config-loop.ts";
import type { EffectiveConfig } from "../config/resolve.ts";
import type { SenderObserver } from "../delivery/sender-stats.ts";
import type { TelemetryError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import { ClockJumps } from "../lib/clock-jumps.ts";
import { formatDuration } from "../lib/duration.ts";
import { RateLimit, WARNING_PERIOD_MS } from "../lib/rate-limit.ts";
import { Transitions } from "../lib/transitions.ts";
import type { Logger } from "../log.ts";
import type { LineCounters } from "../measurement/line-protocol.ts";
import type { SpoolObserver } from "../spool/disk-monitor.ts";
import type { Losses } from "../spool/losses.ts";
import type { Silence } from "./endpoint-states.ts";
import { LossLog } from "./loss-log.ts";
import { MinuteSummary } from "./minute-summary.ts";
import { ValueLog } from "./value-log.ts";
import type { CompletedCycle, MissingValue, NodeObserver, NodeTotals } from "./node-state.ts";

/** A host's daemon has many domains. More silent ones than this in five minutes are logged later, if the silence lasts. */
const MAX_SILENCES = 10;

const SILENCES: Readonly<Record<Silence, string>> = {
  stuck: "QEMU does not answer libvirt",
  busy: "the domain is busy with a job of another client",
};

/**
 * Writes the transitions of a node, its targets and its spool to the log. Each cause is logged at most once in five minutes. A
 * cause is a place and a code, and never has a text of a launcher or a target.
 */
export class NodeLog implements NodeObserver, SenderObserver {
  readonly spool: SpoolObserver = {
    failing: ({ code, message }) => {
      this.#transitions.enter("spool", code, code, () => {
        this.#log.error({ code }, `lines are kept in memory only: ${message}`);
      });
    },
    recovered: () => {
      this.#transitions.normal("spool", () => {
        this.#log.info("lines are kept on disk again");
      });
    },
    found: ({ code, message }) => {
      if (this.#warnings.allows(code)) this.#log.warn({ code }, message);
    },
    takenOver: (directory, lines) => {
      this.#log.info({ directory, lines }, "took over the spool of another agent");
    },
  };
  readonly #log: Logger;
  readonly #warnings: RateLimit;
  /** The states of endpoints and the spool. */
  readonly #transitions: Transitions;
  /** The states of targets, by name. */
  readonly #deliveries: Transitions;
  readonly #silences: Transitions;
  readonly #values: ValueLog;
  readonly #clockJumps: ClockJumps;
  readonly #summary: MinuteSummary;
  /** The lines that the spool lost. */
  readonly losses: LossLog;

  constructor(log: Logger, clock: Clock) {
    this.#log = log;
    const warnings = new RateLimit(WARNING_PERIOD_MS, clock);
    const silences = new RateLimit(WARNING_PERIOD_MS, clock, MAX_SILENCES);
    this.#warnings = warnings;
    this.#transitions = new Transitions((cause) => warnings.allows(cause));
    this.#deliveries = new Transitions((cause) => warnings.allows(`target ${cause}`));
    this.#silences = new Transitions((cause) => silences.allows(cause));
    this.#clockJumps = new ClockJumps(clock);
    this.losses = new LossLog(log, warnings);
    this.#values = new ValueLog(log, warnings);
    this.#summary = new MinuteSummary(log, clock);
  }

  configured(before: EffectiveConfig | undefined, after: EffectiveConfig | undefined): void {
    // Without a configuration the targets still receive the queued lines.
    if (after !== undefined) this.#deliveries.retain(new Set(after.targets.map(({ name }) => name)));
    // The loop that found no configuration has logged the reason.
    if (after === undefined) this.#log.debug("configuration removed");
    else this.#log.info(describeConfig(after), before === undefined ? "configuration active" : "configuration changed");
  }

  /** `active` is the configuration that stays active. */
  configRejected({ reason, error: { code, message } }: ConfigFault, active: EffectiveConfig | undefined): void {
    this.#log.error(
      reason === code ? { code } : { code, reason },
      `configuration rejected, ${staying(active)}: ${message}`,
    );
  }

  configIncomplete({ reason, error: { code, message } }: ConfigFault): void {
    this.#log.error(
      reason === code ? { code } : { code, reason },
      `a target cannot be used as configured, the others are: ${message}`,
    );
  }

  configUnavailable({ code, message }: TelemetryError, active: EffectiveConfig | undefined): void {
    if (this.#warnings.allows(`config ${code}`))
      this.#log.warn({ code }, `configuration not read, ${staying(active)}: ${message}`);
  }

  reportFailed(message: string): void {
    if (this.#warnings.allows("report")) this.#log.warn(`report of this node not written: ${message}`);
  }

  /** `files` is how many files this process may have open. */
  connectionsClosed(files: number): void {
    if (this.#warnings.allows("files"))
      this.#log.warn(
        { files },
        "too few open files allowed to stay connected to every launcher: some are connected in turns. Raise the limit (nofile)",
      );
  }

  endpointAbsent(endpoint: string): void {
    this.#log.debug({ endpoint }, "the launcher is not up");
  }

  endpointsNotFound(error: TelemetryError): void {
    this.#log.warn(loggable(error), `no statistics from libvirt: ${error.message}`);
  }

  endpointForgotten(endpoint: string): void {
    this.#transitions.forget(placeOf(endpoint));
    this.#silences.forget(placeOf(endpoint));
  }

  endpointCycle(cycle: SourceCycle): void {
    const { endpoint, outcome, errors, tolerated, slow } = cycle;
    this.#summary.count(cycle);
    for (const { code, message } of tolerated) this.#log.debug({ endpoint, code }, `not a failure yet: ${message}`);
    if (slow.length > 0) this.#log.debug({ endpoint, domains: slow }, "QEMU has not answered in this cycle");
    const [first] = errors;
    if (outcome === "failed" && first !== undefined) {
      // An error in a cycle with samples has another message, so it has another cause.
      const cause = `failed ${causeOf(endpoint, first)}`;
      this.#transitions.enter(placeOf(endpoint), cause, cause, () => {
        this.#log.warn({ endpoint, ...loggable(first) }, `no statistics from libvirt: ${first.message}`);
      });
    }
    if (outcome !== "collected") return;
    this.#transitions.normal(placeOf(endpoint), () => {
      this.#log.info({ endpoint }, "libvirt answers again");
    });
    for (const [cause, [error, ...others]] of Map.groupBy(errors, (error) => causeOf(endpoint, error)))
      if (error !== undefined && this.#warnings.allows(cause)) {
        const more = others.length > 0 && { more: others.length };
        this.#log.warn({ endpoint, ...loggable(error), ...more }, error.message);
      }
  }

  domainSilent(endpoint: string, domain: string, silence: Silence): void {
    this.#silences.enter(placeOf(endpoint, domain), silence, `${endpoint} ${silence}`, () => {
      this.#log.warn({ endpoint, domain }, `${SILENCES[silence]}: no disk values and totals for this domain`);
    });
  }

  domainNotSilent(endpoint: string, domain: string): void {
    this.#silences.normal(placeOf(endpoint, domain), () => {
      this.#log.info({ endpoint, domain }, "QEMU answers libvirt again, or the domain is gone");
    });
  }

  domainAppeared(endpoint: string, domain: string): void {
    this.#log.debug({ endpoint, domain }, "domain appeared");
  }

  domainGone(endpoint: string, domain: string): void {
    this.#log.debug({ endpoint, domain }, "domain gone");
  }

  failed(error: TelemetryError): void {
    // The message begins with the step that failed. What was thrown comes after it, and may have a stranger's text.
    const [step = ""] = error.message.split(":", 1);
    if (this.#warnings.allows(causeOf(`agent ${step}`, error))) this.#log.error(loggable(error), error.message);
  }

  cycleCompleted(
    { domains, lines, durationMs, unsupported = [] }: CompletedCycle,
    missing: ReadonlyMap<string, MissingValue>,
    altered: Readonly<LineCounters>,
  ): void {
    this.#log.debug({ domains, lines, ms: Math.round(durationMs) }, "cycle");
    this.#values.altered(altered);
    this.#values.missing(missing);
    this.#values.unsupported(unsupported);
  }

  linesLost(losses: Losses): void {
    this.losses.dropped(losses);
  }

  ticked(totals: NodeTotals): void {
    this.#transitions.retry();
    this.#deliveries.retry();
    this.#silences.retry();
    this.#logClockJump();
    this.#summary.ticked(totals);
  }

  delivered(target: string, lines: number, durationMs: number): void {
    this.#summary.deliveredLines += lines;
    this.#log.debug({ target, lines, ms: Math.round(durationMs) }, "delivered");
  }

  failing(target: string, reason: string, detail: string): void {
    this.#deliveries.enter(target, `${reason} ${detail}`, `${target} ${reason}`, () => {
      this.#log.warn({ target, reason }, `delivery failing, lines are buffered: ${detail}`);
    });
  }

  notice(target: string, text: string): void {
    if (this.#warnings.allows(`notice ${target}`)) this.#log.info({ target }, text);
  }

  recovered(target: string): void {
    this.#deliveries.normal(target, () => {
      this.#log.info({ target }, "delivery recovered");
    });
  }

  rejected(target: string, lines: number, example: string): void {
    this.#summary.rejectedLines += lines;
    if (this.#warnings.allows(`rejected ${target}`))
      this.#log.error({ target, lines }, `lines rejected, they are not sent again: ${example}`);
  }

  #logClockJump(): void {
    const jumpMs = this.#clockJumps.take();
    if (jumpMs === 0) return;
    const jump = `${formatDuration(Math.abs(jumpMs))} ${jumpMs > 0 ? "forward" : "back"}`;
    this.#log.warn({ jumpMs }, `the wall clock jumped ${jump}: new lines have the new time`);
  }
}

/** Returns the name of an endpoint, or of one of its domains, among things that have transitions. */
function placeOf(endpoint: string, domain = ""): string {
  return `endpoint ${endpoint}\n${domain}`;
}

/** Returns what the limits tell apart: the same failure with another text is the same cause. */
function causeOf(endpoint: string, { code, rejection }: SourceError): string {
  return `${endpoint} ${code} ${rejection ?? ""}`;
}

function staying(active: EffectiveConfig | undefined): string {
  return active === undefined ? "nothing is collected" : "the previous one stays active";
}

/** The code of an error, why a launcher is rejected, and the stack of an unplanned error, which is in its cause. */
function loggable({ code, rejection, cause }: SourceError): object {
  return { code, ...(rejection !== undefined && { rejection }), ...(code === "E_INTERNAL" && { err: cause }) };
}

/** The fields of a configuration that the log shows; none is secret. */
function describeConfig({ state, intervalMs, families, targets }: EffectiveConfig): object {
  return {
    state,
    intervalMs,
    families,
    targets: targets.map(({ name, url, protocol }) => ({ name, url, version: protocol.version })),
  };
}

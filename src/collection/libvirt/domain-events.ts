import { domainKey } from "../../discovery/domain-name.ts";
import type { NodeMigration } from "../../discovery/named-domain.ts";
import type { Clock } from "../../lib/clock.ts";
import type { LibvirtClient } from "../../libvirt/client.ts";
import { DOMAIN_EVENT, DOMAIN_STATE, type DomainEventName } from "../../libvirt/protocol.ts";
import type { DomainEvent, DomainRef } from "../../libvirt/types.ts";
import type { DomainIdentity } from "../domain-sample.ts";
import { EVENTS, JOBS, type StatsNeed } from "../stats-needs.ts";
import type { VmReport } from "../vm-report.ts";
import type { BudgetChecks } from "./budget-checks.ts";
import type { SessionFollower } from "./daemon-session.ts";
import type { DomainHistory, VmName } from "./domain-history.ts";
import type { Endpoint } from "./endpoint.ts";
import { EventConnections } from "./event-connections.ts";
import { EventLimit } from "./event-limit.ts";
import { describeEvent, type EventWords } from "./event-words.ts";
import { JobProgress } from "./job-progress.ts";
import { MigrationSteps } from "./migration-steps.ts";

const NAMES = Object.keys(DOMAIN_EVENT) as DomainEventName[];
/** The events that show a job or its end. */
const JOB_EVENTS: readonly DomainEventName[] = ["MIGRATION_ITERATION", "JOB_COMPLETED"];
/**
 * How long after the last list with a run its events may come. libvirt lists a run no longer when it begins to end its QEMU, and
 * sends the last events when it has ended. With much memory that takes seconds.
 */
const ENDING_MS = 60_000;
/** If the wall clock is set back by more, time stamps follow it. */
const MAX_AHEAD_MS = 1_000;

interface DomainEventsOptions {
  readonly identify: Endpoint["identify"];
  /** Gives a VM the same identity object as its samples. */
  readonly history: DomainHistory;
  readonly checks: BudgetChecks | undefined;
  readonly clock: Clock;
  readonly emit: (report: VmReport) => void;
  readonly needs: readonly StatsNeed[];
}

/** A running domain in a cycle. */
interface ObservedDomain {
  readonly domain: DomainRef;
  readonly identity: DomainIdentity;
  /** What its VMI says about a live migration. */
  readonly migration: NodeMigration | undefined;
}

interface EndedRun {
  readonly run: DomainRef;
  /** On the monotonic clock. */
  readonly sinceMs: number;
}

/** The events and the jobs of one daemon's domains. */
export class DomainEvents implements SessionFollower {
  readonly #options: DomainEventsOptions;
  readonly #limit: EventLimit;
  #needs: Needs;
  readonly #jobs: JobProgress;
  readonly #connections: EventConnections;
  /** Domain -> its run: of the last list and since. */
  #runs = new Map<string, DomainRef>();
  /** Domain -> its run that is no longer listed. An event after the end of a run has no id. */
  readonly #ended = new Map<string, EndedRun>();
  /** Domain -> the time stamp of its last event: two lines of a series with the same one would be one. */
  readonly #lastMs = new Map<string, number>();
  #migrations: MigrationSteps;
  #errors: readonly unknown[] = [];
  /** The last event if it is a threshold. Others can be large, and are not kept. */
  #threshold: DomainEvent | undefined;

  constructor(options: DomainEventsOptions) {
    this.#options = options;
    this.#limit = new EventLimit(options.clock);
    this.#needs = needsAmong(options.needs);
    this.#jobs = new JobProgress(options.clock, options.emit);
    this.#migrations = new MigrationSteps(options.clock.now());
    this.#connections = new EventConnections(
      (event) => {
        this.#receive(event);
      },
      (error) => {
        this.#failed(error);
      },
    );
  }

  /** Returns whether the connection must be a new one, which has events from its begin or sends none. */
  configure(needs: readonly StatsNeed[]): boolean {
    const { events, jobs } = this.#needs;
    this.#needs = needsAmong(needs);
    if (this.#needs.events === events && this.#needs.jobs === jobs) return false;
    this.close();
    // What happens while its family is off is not known.
    this.#jobs.clear();
    this.#migrations = new MigrationSteps(this.#options.clock.now());
    return true;
  }

  /** Subscribes to the events of a connection, see EventConnections. */
  follow(session: LibvirtClient): void {
    const { events, jobs } = this.#needs;
    const names = events ? NAMES.filter((name) => jobs || name !== "MIGRATION_ITERATION") : JOB_EVENTS;
    if (events || jobs) this.#connections.follow(session, names);
  }

  keep(session: LibvirtClient): boolean {
    return this.#connections.keep(session);
  }

  /** Takes the list of running domains of a cycle. */
  retain(listed: readonly DomainRef[]): void {
    const now = this.#options.clock.monotonic();
    const runs = new Map(listed.map((domain) => [domain.uuid, domain]));
    for (const [uuid, run] of this.#runs) if (!runs.has(uuid)) this.#ended.set(uuid, { run, sinceMs: now });
    for (const [uuid, { sinceMs }] of this.#ended) if (now - sinceMs > ENDING_MS) this.#ended.delete(uuid);
    this.#runs = runs;
    for (const uuid of this.#lastMs.keys())
      if (!this.#runs.has(uuid) && !this.#ended.has(uuid)) this.#lastMs.delete(uuid);
    // The VMI may say at last that a migration has begun when the run has left already.
    const ended = [...this.#ended.values()].map(({ run }) => run);
    this.#passOnLastSteps(ended);
    this.#migrations.retain([...listed, ...ended]);
    this.#jobs.retain(listed);
    this.#emitLeftOut(false);
  }

  /** Passes on what the VMI says about a live migration, once, and asks for the progress of a job. `needs` are those of the cycle. */
  observe({ domain, identity, migration }: ObservedDomain, session: LibvirtClient, needs: readonly StatsNeed[]): void {
    if (this.#needs.events && migration !== undefined) this.#passOnSteps(domain, identity, migration);
    if (!needs.includes(JOBS)) return;
    if (migration?.isLeaving === true) this.#jobs.expect(domain);
    this.#jobs.poll(session, domain, identity);
  }

  #passOnSteps({ uuid }: DomainRef, identity: DomainIdentity, migration: NodeMigration): void {
    for (const { detail, atMs } of this.#migrations.newSteps(uuid, migration))
      if (this.#limit.admits(uuid, identity))
        this.#options.emit({ timestampMs: atMs, identity, kind: "migration", detail, count: 1 });
  }

  #passOnLastSteps(runs: Iterable<DomainRef>): void {
    if (!this.#needs.events) return;
    for (const run of runs)
      try {
        const vm = this.#vmOf(run);
        if (vm?.migration !== undefined)
          this.#passOnSteps(run, this.#options.history.identityOf(run, vm), vm.migration);
      } catch (error) {
        this.#failed(error);
      }
  }

  /** Counts the events that were left out although their minute is not over. */
  close(): void {
    this.#passOnLastSteps(this.#runs.values());
    this.#connections.close();
    this.#emitLeftOut(true);
  }

  /** Returns why events were not passed on: the first reason since the last call. */
  takeErrors(): readonly unknown[] {
    const errors = this.#errors;
    this.#errors = [];
    return errors;
  }

  /** Does not throw: an exception would end the connection. */
  #receive(event: DomainEvent): void {
    try {
      const isRepeated = isSameThreshold(this.#threshold, event);
      this.#threshold = event.name === "BLOCK_THRESHOLD" ? event : undefined;
      const words = isRepeated || !this.#needs.events ? undefined : describeEvent(event);
      const isOfJob = this.#needs.jobs && JOB_EVENTS.includes(event.name);
      if (words !== undefined || isOfJob) this.#passOn(event, words, isOfJob);
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    if (this.#errors.length === 0) this.#errors = [error];
  }

  /** @throws {BudgetError} or the error of `identify` */
  #passOn({ domain, params }: DomainEvent, words: EventWords | undefined, isOfJob: boolean): void {
    const run = this.#runOf(domain);
    const vm = run && this.#vmOf(run);
    if (run === undefined || vm === undefined) return;
    const identity = this.#options.history.identityOf(run, vm);
    if (isOfJob && params === undefined) this.#jobs.expect(run);
    else if (isOfJob && params !== undefined) this.#jobs.end(run, identity, params);
    if (words === undefined) return;
    this.#emitLeftOut(false);
    if (this.#limit.admits(domain.uuid, identity)) this.#emit(domain.uuid, identity, words, 1);
  }

  /** @throws {BudgetError} if the name or a new run exceeds the budget */
  #runOf(domain: DomainRef): DomainRef | undefined {
    const { uuid, id } = domain;
    this.#options.checks?.checkNames([domain]);
    const known = [this.#runs.get(uuid), this.#ended.get(uuid)?.run].filter((run) => run !== undefined);
    if (id < 0) return known[0];
    if (known.some((run) => domainKey(run) === domainKey(domain))) return domain;
    this.#options.checks?.checkRun(domain);
    this.#runs.set(uuid, domain);
    return domain;
  }

  /** An event belongs to the place where it happens, so the guest of a migration counts as running on both sides. */
  #vmOf(run: DomainRef): VmName | undefined {
    const { identify } = this.#options;
    return identify === undefined ? run : identify(run, DOMAIN_STATE.RUNNING, undefined);
  }

  #emitLeftOut(all: boolean): void {
    for (const { uuid, identity, count } of this.#limit.takeEnded(all))
      this.#emit(uuid, identity, { kind: "left-out" }, count);
  }

  #emit(uuid: string, identity: DomainIdentity, words: EventWords, count: number): void {
    const now = this.#options.clock.now();
    const last = this.#lastMs.get(uuid) ?? 0;
    const timestampMs = now <= last && last - now < MAX_AHEAD_MS ? last + 1 : now;
    this.#lastMs.set(uuid, timestampMs);
    this.#options.emit({ timestampMs, identity, ...words, count });
  }
}

/** Which of its two families are on. */
interface Needs {
  readonly events: boolean;
  readonly jobs: boolean;
}

function needsAmong(needs: readonly StatsNeed[]): Needs {
  return { events: needs.includes(EVENTS), jobs: needs.includes(JOBS) };
}

/** Returns whether libvirt sends the same threshold again, with the number of the image: `vda[2]` after `vda`. */
function isSameThreshold(before: DomainEvent | undefined, { name, domain, device, numbers }: DomainEvent): boolean {
  return (
    name === "BLOCK_THRESHOLD" &&
    before?.domain.uuid === domain.uuid &&
    device?.startsWith(`${before.device}[`) === true &&
    numbers.every((number, index) => number === before.numbers[index])
  );
}

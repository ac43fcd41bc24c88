import { domainKey, retainDomains } from "../../discovery/domain-name.ts";
import type { Clock } from "../../lib/clock.ts";
import type { LibvirtClient } from "../../libvirt/client.ts";
import { JOB_TYPE } from "../../libvirt/protocol.ts";
import type { DomainJobStats, DomainRef, TypedParameters } from "../../libvirt/types.ts";
import type { DomainIdentity } from "../domain-sample.ts";
import type { VmJob } from "../vm-report.ts";
import { operationName } from "./event-words.ts";
import { counter } from "./typed-values.ts";

/**
 * Calls that may wait for a QEMU at the same time: each blocks a worker of the daemon, and one of the four calls of the
 * connection.
 */
const MAX_WAITING = 2;
const CALL = { deadlineMs: Number.POSITIVE_INFINITY };

interface RunningJob {
  /** The last statistics, without texts; undefined until libvirt has shown the job. */
  params: TypedParameters | undefined;
  /** Whether a call for it waits. */
  isWaiting: boolean;
}

/** A call for the progress of a job that is not made yet. */
interface QueuedCall {
  readonly session: LibvirtClient;
  readonly run: DomainRef;
  readonly identity: DomainIdentity;
  readonly job: RunningJob;
}

type Emit = (job: VmJob) => void;

/** Follows the jobs of domains from their first sign to their end, each end once. */
export class JobProgress {
  readonly #clock: Clock;
  readonly #emit: Emit;
  /** By the run of the domain. */
  readonly #jobs = new Map<string, RunningJob>();
  /** By the run of the domain, in the order of the calls. */
  readonly #queue = new Map<string, QueuedCall>();
  #waiting = 0;

  constructor(clock: Clock, emit: Emit) {
    this.#clock = clock;
    this.#emit = emit;
  }

  /** A job of this run has begun, or goes on. */
  expect(run: DomainRef): void {
    const key = domainKey(run);
    if (!this.#jobs.has(key)) this.#jobs.set(key, { params: undefined, isWaiting: false });
  }

  /** A job of this run has ended: libvirt sends its statistics in an event. */
  end(run: DomainRef, identity: DomainIdentity, params: TypedParameters): void {
    this.#jobs.delete(domainKey(run));
    this.#report(identity, params, params.get("success") !== false);
  }

  /**
   * Asks for the progress of the job of a run, if there is one, as soon as fewer than MAX_WAITING calls wait. Does not wait, because a
   * stopped QEMU would delay all domains.
   */
  poll(session: LibvirtClient, run: DomainRef, identity: DomainIdentity): void {
    const key = domainKey(run);
    const job = this.#jobs.get(key);
    if (job === undefined || job.isWaiting) return;
    // A call that is queued since an earlier cycle keeps its place, and gets the current connection.
    this.#queue.set(key, { session, run, identity, job });
    this.#callNext();
  }

  /** Forgets the jobs of all other runs. */
  retain(listed: readonly DomainRef[]): void {
    if (this.#jobs.size > 0) retainDomains(this.#jobs, listed);
    if (this.#queue.size > 0) retainDomains(this.#queue, listed);
  }

  /** Forgets all jobs. */
  clear(): void {
    this.#jobs.clear();
    this.#queue.clear();
  }

  #callNext(): void {
    for (const [key, call] of this.#queue) {
      if (this.#waiting >= MAX_WAITING) return;
      this.#queue.delete(key);
      const { job } = call;
      // An event may have ended the job since.
      if (this.#jobs.get(key) !== job) continue;
      job.isWaiting = true;
      this.#waiting++;
      this.#ask(call)
        // The domain has ended, or the connection is lost, which the cycle reports.
        .catch(() => undefined)
        .finally(() => {
          job.isWaiting = false;
          this.#waiting--;
          this.#callNext();
        });
    }
  }

  async #ask({ session, run, identity, job }: QueuedCall): Promise<void> {
    const { type, params } = await session.domainJobStats(run, { ...CALL, ended: false });
    // An event may have ended the job since.
    const goesOn = (): boolean => this.#jobs.get(domainKey(run)) === job;
    if (!goesOn()) return;
    if (type === JOB_TYPE.BOUNDED || type === JOB_TYPE.UNBOUNDED) {
      job.params = withoutTexts(params);
      this.#report(identity, params, undefined);
      return;
    }
    if (job.params === undefined) {
      // The job is over, or about to begin: then there will be another sign of it.
      this.#jobs.delete(domainKey(run));
      return;
    }
    const last = await session.domainJobStats(run, { ...CALL, ended: true });
    if (!goesOn()) return;
    this.#jobs.delete(domainKey(run));
    const isKnown = isEndOf(job.params, last);
    this.#report(identity, isKnown ? last.params : job.params, isKnown && last.type === JOB_TYPE.COMPLETED);
  }

  #report(identity: DomainIdentity, params: TypedParameters, success: boolean | undefined): void {
    const operation = operationName(params.get("operation"));
    this.#emit({ timestampMs: this.#clock.now(), identity, operation, success, params });
  }
}

/** Returns a copy that takes little memory, whatever a daemon sends. */
function withoutTexts(params: TypedParameters): TypedParameters {
  return new Map([...params].filter(([, value]) => typeof value !== "string"));
}

/** Returns whether these are the statistics of this job, and not of one before it. Libvirt keeps none of a failed migration. */
function isEndOf(job: TypedParameters, { type, params }: DomainJobStats): boolean {
  if (type === JOB_TYPE.NONE || params.get("operation") !== job.get("operation")) return false;
  return (counter(params, "time_elapsed") ?? 0n) >= (counter(job, "time_elapsed") ?? 0n);
}

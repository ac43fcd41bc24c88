import { isAborted } from "../lib/abort.ts";
import type { Clock } from "../lib/clock.ts";
import { rejection, type KubeAnswer } from "./answer.ts";
import type { KubeClient } from "./api.ts";
import { Deadline } from "./deadline.ts";
import { toKubeError, KubeError } from "./kube-error.ts";
import { asKubeObject, type KubeObject, microTime, resourcePath } from "./kube-object.ts";

interface LeaseObserver {
  acquired(): void;
  /** Leadership is lost; the signal of the work aborts next. */
  lost(): void;
  /** The Lease could not be read or written; the election retries. */
  failed(error: KubeError): void;
}

export interface LeaseOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly name: string;
  /** Unique for every process. */
  readonly identity: string;
  readonly observer: LeaseObserver;
  readonly clock: Clock;
  readonly random?: () => number;
}

/** The values of client-go: a holder stops its work five seconds before another process may take over. */
const DURATION_MS = 15_000;
const RENEW_DEADLINE_MS = 10_000;
const RETRY_MS = 2_000;
const RETRY_JITTER = 1.2;
const RELEASE_MS = 2_000;

/** `held`: this process has the Lease. `taken`: another process has it. `unknown`: a request failed. */
type Attempt = "held" | "taken" | "unknown";

/** The fields of a coordination.k8s.io/v1 Lease that are used here. The times are for people only. */
interface Lease extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly acquireTime?: string;
    readonly leaseTransitions?: number;
  };
}

/** The last known state of the Lease, and when it was first observed by the local clock. */
interface Observation {
  readonly lease: Lease;
  readonly sinceMs: number;
}

/**
 * Elects one of several processes as the leader, by a Lease of coordination.k8s.io. It does not use the times in the object,
 * so the clocks of the processes need not agree: a holder counts as gone when the object has not changed for `DURATION_MS`
 * of the local clock.
 */
export class LeaderElection {
  readonly #options: LeaseOptions;
  readonly #random: () => number;
  readonly #collection: string;
  readonly #path: string;
  #observed: Observation | undefined;

  constructor(options: LeaseOptions) {
    const { namespace, name } = options;
    const lease = { group: "coordination.k8s.io", version: "v1", plural: "leases", namespace };
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#collection = resourcePath(lease);
    this.#path = resourcePath({ ...lease, name });
  }

  /**
   * Runs the work whenever this process is the leader, until the signal aborts; then releases the Lease. The signal of the
   * work aborts when leadership is lost or no longer certain. The election waits for the work to end.
   */
  async run(work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    try {
      while (!isAborted(signal)) {
        const begunMs = this.#options.clock.monotonic();
        const attempt = await this.#attempt(RENEW_DEADLINE_MS, signal);
        if (attempt === "held" && !isAborted(signal)) await this.#lead(work, begunMs + RENEW_DEADLINE_MS, signal);
        await this.#options.clock.sleep(this.#pauseMs(), signal);
      }
    } finally {
      await this.#release();
    }
  }

  async #lead(
    work: (signal: AbortSignal) => Promise<void>,
    certainUntilMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { observer } = this.#options;
    const ended = new AbortController();
    const stop = (): void => {
      ended.abort();
    };
    signal.addEventListener("abort", stop);
    observer.acquired();
    const renewing = this.#renew(certainUntilMs, ended.signal).then(() => {
      if (!ended.signal.aborted) observer.lost();
      stop();
    });
    try {
      await Promise.all([work(ended.signal).finally(stop), renewing]);
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  /** Resolves when leadership is lost, when it was not renewed in time, or when the signal aborts. */
  async #renew(certainUntilMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    let untilMs = certainUntilMs;
    for (;;) {
      await clock.sleep(Math.min(this.#pauseMs(), untilMs - clock.monotonic()), signal);
      const begunMs = clock.monotonic();
      if (signal.aborted || begunMs >= untilMs) return;
      const attempt = await this.#attempt(untilMs - begunMs, signal);
      if (attempt === "taken") return;
      // The other processes count their `DURATION_MS` from when they observe the write, which is later.
      if (attempt === "held") untilMs = begunMs + RENEW_DEADLINE_MS;
    }
  }

  #pauseMs(): number {
    return RETRY_MS * (1 + RETRY_JITTER * this.#random());
  }

  /** Acquires or renews the Lease unless another process has it. */
  async #attempt(limitMs: number, outer: AbortSignal): Promise<Attempt> {
    using deadline = new Deadline(limitMs, this.#options.clock, outer);
    const { signal } = deadline;
    try {
      // A holder renews without a read; the write fails if the Lease has changed.
      if (
        this.#observed !== undefined &&
        this.#holds(this.#observed.lease) &&
        (await this.#writeLease(this.#observed, signal))
      )
        return "held";
      if (!(await this.#readLease(signal))) return "unknown";
      if (this.#observed !== undefined && !this.#isFree(this.#observed)) return "taken";
      return (await this.#writeLease(this.#observed, signal)) ? "held" : "unknown";
    } catch (thrown) {
      const error = deadline.expired
        ? new KubeError("E_KUBE_TIMEOUT", `no answer about the Lease ${this.#path} within ${Math.round(limitMs)} ms`)
        : toKubeError(thrown, "E_KUBE_CLOSED", `the Lease ${this.#path} cannot be used`);
      if (!outer.aborted) this.#options.observer.failed(error);
      return "unknown";
    }
  }

  /** Reads the Lease. Resolves to false if the server rejects that. */
  async #readLease(signal: AbortSignal): Promise<boolean> {
    const answer = await this.#options.client.request({ path: this.#path, signal });
    if (answer.status === 404) this.#observed = undefined;
    else if (answer.status === 200) this.#record(answer);
    else this.#options.observer.failed(rejection(answer, `the Lease ${this.#path} cannot be read`));
    return answer.status === 404 || answer.status === 200;
  }

  /** Creates or replaces the Lease. Resolves to false if it has changed since `observed`, or if the server rejects that. */
  async #writeLease(observed: Observation | undefined, signal: AbortSignal): Promise<boolean> {
    const { client, observer } = this.#options;
    const body = this.#leaseBody(observed?.lease);
    const request = observed === undefined ? { method: "POST" as const, path: this.#collection } : put(this.#path);
    const answer = await client.request({ ...request, body, signal });
    const written = answer.status === 200 || answer.status === 201;
    if (written) this.#record(answer);
    // 409: another process has changed or created it; 404: it was deleted.
    else if (answer.status !== 409 && answer.status !== 404)
      observer.failed(rejection(answer, `the Lease ${this.#path} cannot be written`));
    return written;
  }

  async #release(): Promise<void> {
    const { clock, client } = this.#options;
    if (this.#observed === undefined || !this.#holds(this.#observed.lease)) return;
    using deadline = new Deadline(RELEASE_MS, clock);
    const { lease } = this.#observed;
    // As in client-go: no holder, and a duration of a second for clients that use the times.
    const body = { ...lease, spec: { ...lease.spec, holderIdentity: "", leaseDurationSeconds: 1 } };
    // If this fails, the other processes wait as long as after a crash.
    await client.request({ ...put(this.#path), body, signal: deadline.signal }).catch(() => undefined);
    this.#observed = undefined;
  }

  #record({ body }: KubeAnswer): void {
    const lease: Lease = asKubeObject(body);
    if (lease.metadata.resourceVersion === this.#observed?.lease.metadata.resourceVersion) return;
    this.#observed = { lease, sinceMs: this.#options.clock.monotonic() };
  }

  #holds({ spec }: Lease): boolean {
    return spec?.holderIdentity === this.#options.identity;
  }

  #isFree({ lease, sinceMs }: Observation): boolean {
    if (!lease.spec?.holderIdentity || this.#holds(lease)) return true;
    return this.#options.clock.monotonic() - sinceMs > DURATION_MS;
  }

  #leaseBody(before: Lease | undefined): object {
    const { name, namespace, identity, clock } = this.#options;
    const now = microTime(clock.now());
    const mine = before !== undefined && this.#holds(before);
    return {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: before?.metadata ?? { name, namespace },
      spec: {
        holderIdentity: identity,
        leaseDurationSeconds: DURATION_MS / 1_000,
        acquireTime: mine ? before.spec?.acquireTime : now,
        renewTime: now,
        leaseTransitions: (before?.spec?.leaseTransitions ?? 0) + (mine || before === undefined ? 0 : 1),
      },
    };
  }
}

const put = (path: string) => ({ method: "PUT" as const, path });

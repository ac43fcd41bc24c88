import { isAborted } from "../lib/abort.ts";
import type { Clock } from "../lib/clock.ts";
import { rejection, type KubeAnswer } from "./answer.ts";
import type { KubeClient } from "./api.ts";
import { Deadline } from "./deadline.ts";
import { toKubeError, KubeError } from "./kube-error.ts";
import { asKubeObject, type KubeObject, microTime, resourcePath } from "./kube-object.ts";

interface LeaseObserver {
  acquired(): void;
  /** The work has been told to end. */
  lost(): void;
  /** The Lease could not be read or written; it is tried again. */
  failed(error: KubeError): void;
}

export interface LeaseOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly name: string;
  /** Of this process, unlike that of every other: the name of the pod. */
  readonly identity: string;
  readonly observer: LeaseObserver;
  readonly clock: Clock;
  readonly random?: () => number;
}

/** The figures of client-go: a holder gives up five seconds before others may take over. */
const DURATION_MS = 15_000;
const RENEW_DEADLINE_MS = 10_000;
const RETRY_MS = 2_000;
const RETRY_JITTER = 1.2;
const RELEASE_MS = 2_000;

type Attempt = "held" | "taken" | "unknown";

/** Of coordination.k8s.io/v1, what is used here; the times are for people. */
interface Lease extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly acquireTime?: string;
    readonly leaseTransitions?: number;
  };
}

/** The Lease as it was last seen, and since when by our own clock. */
interface Observation {
  readonly lease: Lease;
  readonly sinceMs: number;
}

/**
 * Lets one of several processes work at a time, by a Lease of coordination.k8s.io. No time in the object is believed: a
 * holder is gone when the object has not changed for `DURATION_MS` of our own clock, however wrong the others' clocks are.
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
   * Does the work whenever this process is the leader, until the signal aborts; then gives the Lease back. The signal that
   * the work gets aborts when leadership is lost or no longer certain: the work goes on until then, and is waited for.
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

  async #lead(work: (signal: AbortSignal) => Promise<void>, sureMs: number, signal: AbortSignal): Promise<void> {
    const { observer } = this.#options;
    const ended = new AbortController();
    const stop = (): void => {
      ended.abort();
    };
    signal.addEventListener("abort", stop);
    observer.acquired();
    const renewing = this.#renew(sureMs, ended.signal).then(() => {
      if (!ended.signal.aborted) observer.lost();
      stop();
    });
    try {
      await Promise.all([work(ended.signal).finally(stop), renewing]);
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  /** Returns when leadership is lost, when it is not certain beyond `sureMs`, or when the signal aborts. */
  async #renew(sureMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    let untilMs = sureMs;
    for (;;) {
      await clock.sleep(Math.min(this.#pauseMs(), untilMs - clock.monotonic()), signal);
      const begunMs = clock.monotonic();
      if (signal.aborted || begunMs >= untilMs) return;
      const attempt = await this.#attempt(untilMs - begunMs, signal);
      if (attempt === "taken") return;
      // What others wait for begins when they see the write, so later than this.
      if (attempt === "held") untilMs = begunMs + RENEW_DEADLINE_MS;
    }
  }

  #pauseMs(): number {
    return RETRY_MS * (1 + RETRY_JITTER * this.#random());
  }

  /** Takes or renews the Lease if nobody else has it. */
  async #attempt(limitMs: number, outer: AbortSignal): Promise<Attempt> {
    using deadline = new Deadline(limitMs, this.#options.clock, outer);
    const { signal } = deadline;
    try {
      // A holder that nobody disturbs writes without looking.
      if (this.#observed !== undefined && this.#holds(this.#observed.lease) && (await this.#writeLease(this.#observed, signal)))
        return "held";
      if (!(await this.#readLease(signal))) return "unknown";
      if (this.#observed !== undefined && !this.#isFree(this.#observed)) return "taken";
      return (await this.#writeLease(this.#observed, signal)) ? "held" : "unknown";
    } catch (thrown) {
      const error = deadline.expired
        ? new KubeError("E_KUBE_TIMEOUT", `no answer for the Lease ${this.#path} within ${Math.round(limitMs)} ms`)
        : toKubeError(thrown, "E_KUBE_CLOSED", `the Lease ${this.#path} cannot be used`);
      if (!outer.aborted) this.#options.observer.failed(error);
      return "unknown";
    }
  }

  /** Reads the Lease; false when that was refused. */
  async #readLease(signal: AbortSignal): Promise<boolean> {
    const answer = await this.#options.client.request({ path: this.#path, signal });
    if (answer.status === 404) this.#observed = undefined;
    else if (answer.status === 200) this.#record(answer);
    else this.#options.observer.failed(rejection(answer, `the Lease ${this.#path} cannot be read`));
    return answer.status === 404 || answer.status === 200;
  }

  /** Creates or replaces the Lease, on condition that it is as it was seen; false if it is not. */
  async #writeLease(seen: Observation | undefined, signal: AbortSignal): Promise<boolean> {
    const { client, observer } = this.#options;
    const body = this.#leaseBody(seen?.lease);
    const request = seen === undefined ? { method: "POST" as const, path: this.#collection } : put(this.#path);
    const answer = await client.request({ ...request, body, signal });
    const written = answer.status === 200 || answer.status === 201;
    if (written) this.#record(answer);
    // 409: it was changed or made by another meanwhile; 404: it was deleted.
    else if (answer.status !== 409 && answer.status !== 404)
      observer.failed(rejection(answer, `the Lease ${this.#path} cannot be written`));
    return written;
  }

  async #release(): Promise<void> {
    const { clock, client } = this.#options;
    if (this.#observed === undefined || !this.#holds(this.#observed.lease)) return;
    using deadline = new Deadline(RELEASE_MS, clock);
    const { lease } = this.#observed;
    // As client-go leaves it: no holder, and a second for those that go by the times.
    const body = { ...lease, spec: { ...lease.spec, holderIdentity: "", leaseDurationSeconds: 1 } };
    // If it fails the others wait as long as after a crash.
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

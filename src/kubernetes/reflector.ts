import { isAborted } from "../lib/abort.ts";
import { answerFromStatus, isVersionTooLarge, rejection, retryAfterMs, type KubeAnswer } from "./answer.ts";
import { toKubeError, KubeError } from "./kube-error.ts";
import { asKubeObject, keyOf, metadataOf, recordOf, type KubeObject } from "./kube-object.ts";
import { list, type Freshness } from "./list.ts";
import { ObjectStore, type Change } from "./object-store.ts";
import type { ReflectorCounters, ReflectorOptions } from "./reflector-options.ts";
import { storeFault, type StoreFault } from "./store-fault.ts";
import { recoveryFor, TRANSIENT, RELIST, retryDelayMs, type RetryPolicy } from "./retry-policy.ts";

export type { Change } from "./object-store.ts";
export type { ReflectorCounters, ReflectorObserver, ReflectorOptions } from "./reflector-options.ts";

/** The server ends a watch after this time: random, so that thousands of watches do not end together. */
const WATCH_SECONDS = { least: 300, spread: 300 };
/** The server may end a watch this much later. */
const WATCH_MARGIN_MS = 30_000;
/** The server may end a watch this much earlier, because its timer starts first. */
const WATCH_EARLY_MS = 5_000;
/** A failure this long after its attempt began resets the backoff: the attempt had worked. Some proxies cut every minute. */
const STABLE_MS = 10_000;

/** Why a list or a watch failed, and how to retry. */
interface Interruption {
  readonly error: KubeError;
  readonly policy: RetryPolicy;
  readonly resume: boolean;
  readonly afterMs?: number | undefined;
}

/** Keeps projections of the objects of one kind up to date, by a list and then one watch after another. */
export class Reflector<T> implements AsyncDisposable {
  readonly #options: ReflectorOptions<T>;
  readonly #random: () => number;
  readonly #store = new ObjectStore<T>();
  readonly #stop = new AbortController();
  readonly #synced = Promise.withResolvers<boolean>();
  readonly #counters = { lists: 0, watches: 0, reconnects: 0, events: 0, missedFoundByRelist: 0 };
  #running: Promise<void> | undefined;
  /** Ends the open request so that a list follows. */
  #interrupt = new AbortController();
  /** Whether the store has projections that a list must replace. */
  #reprojects = false;
  /** Version at which the next watch starts; undefined if a list must come first. */
  #version: string | undefined;
  #freshness: Freshness;
  #failures = 0;
  /** Why the last attempt failed; undefined after a list, an event or a bookmark. */
  #interruption: KubeError | undefined;
  #tooLarge: readonly (string | undefined)[] = [];
  #currentAtMs = Number.NEGATIVE_INFINITY;
  #retryAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#freshness = options.freshness;
  }

  /** The projections by `namespace/name`, or by name. It is always the same map. */
  get objects(): ReadonlyMap<string, T> {
    return this.#store.objects;
  }

  /** Resolves to true after the first list; to false if the reflector is stopped before. */
  get synced(): Promise<boolean> {
    return this.#synced.promise;
  }

  /**
   * Milliseconds since the API server last proved that the store is up to date, by a list, an event or a bookmark;
   * Infinity before the first list. A healthy API server sends a bookmark every minute.
   */
  get staleMs(): number {
    return this.#options.clock.monotonic() - this.#currentAtMs;
  }

  /** Why the store may not have all objects; undefined if it has. */
  get fault(): StoreFault | undefined {
    return storeFault({ error: this.#interruption, staleMs: this.staleMs, tooLarge: this.#tooLarge });
  }

  get counters(): ReflectorCounters {
    return { ...this.#counters };
  }

  /** Puts objects into the store that an earlier process knew. The first list replaces them. Must come before `start`. */
  restore(objects: ReadonlyMap<string, T>): void {
    // No object of the API server has this version, so each object of the list counts as changed.
    const known = [...objects].map(([key, object]) => [key, { version: "", object }] as const);
    for (const change of this.#store.replace(new Map(known))) this.#notify(change);
  }

  /** Lists all objects again and projects them anew, because the projection has changed. */
  reproject(): void {
    this.#store.forgetVersions();
    this.#reprojects = true;
    this.#interrupt.abort();
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Cancels the open request. No handler is called afterwards. The store keeps its content. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#synced.resolve(false);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #run(): Promise<void> {
    while (!isAborted(this.#stop.signal)) {
      let interruption: Interruption | undefined;
      this.#interrupt = new AbortController();
      const signal = AbortSignal.any([this.#stop.signal, this.#interrupt.signal]);
      if (this.#reprojects && this.#version !== undefined) this.#requireList(this.#version);
      try {
        interruption =
          this.#version === undefined ? await this.#list(signal) : await this.#watch(this.#version, signal);
      } catch (thrown) {
        if (!isAborted(signal)) interruption = this.#failed(thrown);
      }
      if (interruption === undefined || isAborted(signal)) continue;
      await this.#options.clock.sleep(this.#prepareRetry(interruption), this.#stop.signal);
    }
  }

  async #list(signal: AbortSignal): Promise<Interruption | undefined> {
    const { client, path, query = {}, observer } = this.#options;
    this.#counters.lists++;
    const project = (object: unknown): T | undefined => this.#project(object);
    const listing = await list({ client, path, query, freshness: this.#freshness, project, signal });
    if (isAborted(signal)) return undefined;
    if ("status" in listing) {
      if (isVersionTooLarge(listing)) this.#freshness = "newest";
      return this.#rejected(listing, "list");
    }
    const first = this.#currentAtMs === Number.NEGATIVE_INFINITY;
    const changes = this.#store.replace(listing.objects);
    const missed = first || this.#reprojects ? 0 : changes.length;
    this.#reprojects = false;
    this.#counters.missedFoundByRelist += missed;
    this.#version = listing.version;
    this.#tooLarge = listing.tooLarge;
    this.#confirmCurrent();
    for (const change of changes) this.#notify(change);
    const { tooLarge, peakBytes } = listing;
    observer.listed({ objects: this.#store.objects.size, missed, tooLarge: tooLarge.length, peakBytes });
    this.#synced.resolve(true);
    return undefined;
  }

  async #watch(from: string, signal: AbortSignal): Promise<Interruption | undefined> {
    const { client, path, query = {}, clock } = this.#options;
    this.#counters.watches++;
    const timeoutSeconds = WATCH_SECONDS.least + Math.floor(WATCH_SECONDS.spread * this.#random());
    const lifetimeMs = timeoutSeconds * 1_000 + WATCH_MARGIN_MS;
    const watch = { watch: true, allowWatchBookmarks: true, resourceVersion: from, timeoutSeconds };
    const begunMs = clock.monotonic();
    const stream = await client.watch({ path, query: { ...query, ...watch }, lifetimeMs, signal });
    if ("status" in stream) return this.#rejected(stream, "watch");
    let lines = 0;
    for await (const line of stream.lines) {
      if (isAborted(signal)) return undefined;
      const failure = this.#applyEvent(line);
      if (failure !== undefined) return this.#rejected(failure, "watch");
      lines++;
      this.#confirmCurrent();
    }
    if (clock.monotonic() - begunMs < timeoutSeconds * 1_000 - WATCH_EARLY_MS) {
      const error = new KubeError("E_KUBE_CLOSED", `the API server ended the watch of ${path} too early`);
      return { error, policy: TRANSIENT, resume: true };
    }
    if (lines > 0) return undefined;
    // A server sends at least a bookmark before the end. Without one it may not know the version.
    const error = new KubeError("E_KUBE_CLOSED", `the watch of ${path} ended without an event or a bookmark`);
    return { error, policy: RELIST, resume: false };
  }

  /** Applies one line of a watch. Returns the answer in an ERROR event. */
  #applyEvent(line: unknown): KubeAnswer | undefined {
    const { type, object } = recordOf(line);
    if (type === "ERROR") return answerFromStatus(object);
    if (type === "BOOKMARK") {
      const { resourceVersion } = metadataOf(object);
      if (typeof resourceVersion === "string") this.#version = resourceVersion;
      return undefined;
    }
    if (type !== "ADDED" && type !== "MODIFIED" && type !== "DELETED")
      throw new KubeError("E_KUBE_PROTOCOL", `the watch of ${this.#options.path} sent a line that is not an event`);
    const meta = asKubeObject(object);
    const version = meta.metadata.resourceVersion;
    const change = this.#store.put(keyOf(meta), version, type === "DELETED" ? undefined : this.#project(object));
    this.#version = version;
    this.#counters.events++;
    // Only an object that the list left out can be modified without being in the store: it has become smaller.
    if (type === "MODIFIED" && change?.before === undefined && change?.after !== undefined) this.#becameSmaller(meta);
    if (change !== undefined) this.#notify(change);
    return undefined;
  }

  #becameSmaller(object: KubeObject): void {
    const known = this.#tooLarge.indexOf(keyOf(object));
    const at = known === -1 ? this.#tooLarge.indexOf(undefined) : known;
    if (at !== -1) this.#tooLarge = this.#tooLarge.toSpliced(at, 1);
  }

  #rejected(answer: KubeAnswer, verb: "list" | "watch"): Interruption {
    const { path, clock } = this.#options;
    const error = rejection(answer, `the API server rejects the ${verb} of ${path}`);
    return { error, ...recoveryFor(answer.status), afterMs: retryAfterMs(answer, clock.now()) };
  }

  #failed(thrown: unknown): Interruption {
    const error = toKubeError(thrown, "E_KUBE_CLOSED", `the agent failed to follow ${this.#options.path}`);
    if (error !== thrown) this.#options.observer.faulted(thrown);
    // A watch from the same version would send the unreadable event again; a list skips it.
    return { error, policy: TRANSIENT, resume: error.code !== "E_KUBE_PROTOCOL" };
  }

  /** Reports an interruption and prepares the next attempt. Returns the wait before it, in milliseconds. */
  #prepareRetry({ error, policy, resume, afterMs }: Interruption): number {
    const { observer, clock } = this.#options;
    if (this.#version !== undefined) {
      if (resume) this.#counters.reconnects++;
      else this.#requireList(this.#version);
    }
    if (clock.monotonic() - this.#retryAtMs > STABLE_MS) this.#failures = 0;
    this.#interruption = error;
    if (error.code === "E_KUBE_DENIED") observer.denied(error);
    else observer.interrupted(error);
    const ms = retryDelayMs(policy, this.#failures++, afterMs, this.#random);
    this.#retryAtMs = clock.monotonic() + ms;
    return ms;
  }

  /** Makes a list the next request; it must not be older than `version`. */
  #requireList(version: string): void {
    this.#version = undefined;
    this.#freshness = this.#options.freshness === "newest" ? "newest" : { notOlderThan: version };
  }

  /** Records that the store is up to date: the server has sent a list, an event or a bookmark. */
  #confirmCurrent(): void {
    this.#currentAtMs = this.#options.clock.monotonic();
    if (this.#interruption === undefined) return;
    this.#interruption = undefined;
    this.#options.observer.resumed();
  }

  #project(object: unknown): T | undefined {
    try {
      return this.#options.project(object);
    } catch (error) {
      this.#options.observer.faulted(error);
      return undefined;
    }
  }

  #notify(change: Change<T>): void {
    if (isAborted(this.#stop.signal)) return;
    try {
      this.#options.onChange?.(change);
    } catch (error) {
      this.#options.observer.faulted(error);
    }
  }
}

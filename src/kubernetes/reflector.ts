import type { Clock } from "../lib/clock.ts";
import { answerFromStatus, isVersionTooLarge, rejection, retryAfterMs, type KubeAnswer } from "./answer.ts";
import type { KubeClient } from "./api.ts";
import { toKubeError, KubeError } from "./kube-error.ts";
import { asKubeObject, keyOf, metadataOf, recordOf } from "./kube-object.ts";
import { list, type Freshness } from "./list.ts";
import { ObjectStore, type Change } from "./object-store.ts";
import { recoveryFor, TRANSIENT, RELIST, retryDelayMs, type RetryPolicy } from "./retry-policy.ts";

export type { Change } from "./object-store.ts";

/** What is worth saying about a reflector. */
export interface ReflectorObserver {
  /** The first list, or one that made up for what a watch could not deliver; `missed` objects were different then. */
  listed(event: { readonly objects: number; readonly missed: number }): void;
  /** The identity or its rights do not suffice. Said at each refusal. */
  denied(error: KubeError): void;
  /** A list or a watch broke off or was not to be had. It is tried again; the store stays as it is. */
  interrupted(error: KubeError): void;
  /** A list or a watch has delivered again after an interruption. */
  resumed(): void;
  /** A handler or a projection threw. Everything else goes on. */
  faulted(error: unknown): void;
}

export interface ReflectorOptions<T> {
  readonly client: KubeClient;
  /** Of the collection, such as `/apis/kubevirt.io/v1/virtualmachineinstances`. */
  readonly path: string;
  /** `labelSelector`, `fieldSelector`. */
  readonly query?: Readonly<Record<string, string>>;
  /** `newest` for a long list that one process reads, `any` for a short one that thousands read; see `Freshness`. */
  readonly freshness: "any" | "newest";
  /** What to keep of an object; undefined to keep nothing. The object itself is let go of. */
  readonly project: (object: unknown) => T | undefined;
  /** Called when the store is up to date with the change. */
  readonly onChange?: (change: Change<T>) => void;
  readonly observer: ReflectorObserver;
  readonly clock: Clock;
  readonly random?: () => number;
}

export interface ReflectorCounters {
  readonly lists: number;
  readonly watches: number;
  /** Watches that had to be opened because the one before was not ended by its server in order. */
  readonly reconnects: number;
  /** Additions, modifications and deletions that watches delivered. */
  readonly events: number;
  /** What lists after the first found different: events that a watch should have delivered. */
  readonly missedFoundByRelist: number;
}

/** A watch is ended by the server after five to ten minutes, at another moment for each of thousands. */
const WATCH_SECONDS = { least: 300, spread: 300 };
/** What a server may be late with that. */
const WATCH_MARGIN_MS = 30_000;
/** How much sooner than asked for a watch may end: the server's clock for it has started before ours. */
const WATCH_EARLY_MS = 5_000;
/** What has lasted this long before it failed has worked: the next failure is a new one. Some proxies cut every minute. */
const STABLE_MS = 10_000;

/** How a list or a watch ended, if it did not simply end: what to say, and when and where to go on. */
interface Interruption {
  readonly error: KubeError;
  readonly policy: RetryPolicy;
  readonly resume: boolean;
  readonly afterMs?: number | undefined;
}

/** Keeps a projection of the objects of one kind up to date for as long as it takes: list, then watch after watch. */
export class Reflector<T> implements AsyncDisposable {
  readonly #options: ReflectorOptions<T>;
  readonly #random: () => number;
  readonly #store = new ObjectStore<T>();
  readonly #stop = new AbortController();
  readonly #synced = Promise.withResolvers<boolean>();
  readonly #counters = { lists: 0, watches: 0, reconnects: 0, events: 0, missedFoundByRelist: 0 };
  #running: Promise<void> | undefined;
  /** Where the next watch goes on; undefined when a list has to come first. */
  #version: string | undefined;
  #freshness: Freshness;
  #failures = 0;
  #interrupted = false;
  #currentAtMs = Number.NEGATIVE_INFINITY;
  #retryAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#freshness = options.freshness;
  }

  /** By `namespace/name`, or by name. Always the same map. */
  get objects(): ReadonlyMap<string, T> {
    return this.#store.objects;
  }

  /** Resolves to true after the first list; to false if the reflector was stopped before. */
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

  get counters(): ReflectorCounters {
    return { ...this.#counters };
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends what is open; no handler is called afterwards. The store stays as it is. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#synced.resolve(false);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #run(): Promise<void> {
    while (!this.#stopped()) {
      let setback: Interruption | undefined;
      try {
        setback = this.#version === undefined ? await this.#list() : await this.#watch(this.#version);
      } catch (thrown) {
        setback = this.#failed(thrown);
      }
      if (setback === undefined || this.#stopped()) continue;
      await this.#options.clock.sleep(this.#prepareRetry(setback), this.#stop.signal);
    }
  }

  async #list(): Promise<Interruption | undefined> {
    const { client, path, query = {}, observer } = this.#options;
    this.#counters.lists++;
    const project = (object: unknown): T | undefined => this.#project(object);
    const listing = await list({ client, path, query, freshness: this.#freshness, project, signal: this.#stop.signal });
    if (this.#stopped()) return undefined;
    if ("status" in listing) {
      if (isVersionTooLarge(listing)) this.#freshness = "newest";
      return this.#rejected(listing, "list");
    }
    const first = this.#currentAtMs === Number.NEGATIVE_INFINITY;
    const changes = this.#store.replace(listing.objects);
    const missed = first ? 0 : changes.length;
    this.#counters.missedFoundByRelist += missed;
    this.#version = listing.version;
    this.#confirmCurrent();
    for (const change of changes) this.#notify(change);
    observer.listed({ objects: this.#store.objects.size, missed });
    this.#synced.resolve(true);
    return undefined;
  }

  async #watch(from: string): Promise<Interruption | undefined> {
    const { client, path, query = {}, clock } = this.#options;
    this.#counters.watches++;
    const timeoutSeconds = WATCH_SECONDS.least + Math.floor(WATCH_SECONDS.spread * this.#random());
    const lifetimeMs = timeoutSeconds * 1_000 + WATCH_MARGIN_MS;
    const watch = { watch: true, allowWatchBookmarks: true, resourceVersion: from, timeoutSeconds };
    const begunMs = clock.monotonic();
    const stream = await client.watch({ path, query: { ...query, ...watch }, lifetimeMs, signal: this.#stop.signal });
    if ("status" in stream) return this.#rejected(stream, "watch");
    let lines = 0;
    for await (const line of stream.lines) {
      if (this.#stopped()) return undefined;
      const refused = this.#applyEvent(line);
      if (refused !== undefined) return this.#rejected(refused, "watch");
      lines++;
      this.#confirmCurrent();
    }
    if (clock.monotonic() - begunMs < timeoutSeconds * 1_000 - WATCH_EARLY_MS) {
      const error = new KubeError("E_KUBE_CLOSED", `the API server ended the watch of ${path} before its time`);
      return { error, policy: TRANSIENT, resume: true };
    }
    if (lines > 0) return undefined;
    // At least a bookmark comes before the end. Without, the version may be one that this server has never heard of.
    const error = new KubeError("E_KUBE_CLOSED", `the watch of ${path} was silent all its life`);
    return { error, policy: RELIST, resume: false };
  }

  /** Takes one line of a watch; returns the answer that an ERROR event stands for. */
  #applyEvent(line: unknown): KubeAnswer | undefined {
    const { type, object } = recordOf(line);
    if (type === "ERROR") return answerFromStatus(object);
    if (type === "BOOKMARK") {
      const { resourceVersion } = metadataOf(object);
      if (typeof resourceVersion === "string") this.#version = resourceVersion;
      return undefined;
    }
    if (type !== "ADDED" && type !== "MODIFIED" && type !== "DELETED")
      throw new KubeError("E_KUBE_PROTOCOL", `the watch of ${this.#options.path} sent something that is no event`);
    const meta = asKubeObject(object);
    const version = meta.metadata.resourceVersion;
    const change = this.#store.put(keyOf(meta), version, type === "DELETED" ? undefined : this.#project(object));
    this.#version = version;
    this.#counters.events++;
    if (change !== undefined) this.#notify(change);
    return undefined;
  }

  #rejected(answer: KubeAnswer, verb: "list" | "watch"): Interruption {
    const { path, clock } = this.#options;
    const error = rejection(answer, `the API server refuses to ${verb} ${path}`);
    return { error, ...recoveryFor(answer.status), afterMs: retryAfterMs(answer, clock.now()) };
  }

  #failed(thrown: unknown): Interruption {
    const error = toKubeError(thrown, "E_KUBE_CLOSED", `the agent failed to follow ${this.#options.path}`);
    if (error !== thrown) this.#options.observer.faulted(thrown);
    // What cannot be read would come again; a list goes past it.
    return { error, policy: TRANSIENT, resume: error.code !== "E_KUBE_PROTOCOL" };
  }

  /** Says what is wrong and prepares the next try. Returns how long to wait for it, in milliseconds. */
  #prepareRetry({ error, policy: pace, resume, afterMs }: Interruption): number {
    const { observer, clock } = this.#options;
    if (this.#version !== undefined) {
      if (resume) this.#counters.reconnects++;
      else this.#requireList(this.#version);
    }
    if (clock.monotonic() - this.#retryAtMs > STABLE_MS) this.#failures = 0;
    this.#interrupted = true;
    if (error.code === "E_KUBE_DENIED") observer.denied(error);
    else observer.interrupted(error);
    const ms = retryDelayMs(pace, this.#failures++, afterMs, this.#random);
    this.#retryAtMs = clock.monotonic() + ms;
    return ms;
  }

  /** A list has to come before the next watch. */
  #requireList(version: string): void {
    this.#version = undefined;
    this.#freshness = this.#options.freshness === "newest" ? "newest" : { notOlderThan: version };
  }

  /** The server has shown that the store is up to date. */
  #confirmCurrent(): void {
    this.#currentAtMs = this.#options.clock.monotonic();
    if (!this.#interrupted) return;
    this.#interrupted = false;
    this.#options.observer.resumed();
  }

  #stopped(): boolean {
    return this.#stop.signal.aborted;
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
    if (this.#stopped()) return;
    try {
      this.#options.onChange?.(change);
    } catch (error) {
      this.#options.observer.faulted(error);
    }
  }
}

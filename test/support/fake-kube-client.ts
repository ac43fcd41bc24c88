// An API server without a network, for tests with a fake clock. It serves FakeObjects, and faults on demand.
import type { KubeAnswer } from "../../src/kubernetes/answer.ts";
import type { KubeClient, KubeRequest, WatchRequest, WatchStream } from "../../src/kubernetes/api.ts";
import { KubeError } from "../../src/kubernetes/kube-error.ts";
import type { Clock } from "../../src/lib/clock.ts";
import { Notifier } from "../../src/lib/notifier.ts";
import { failure, FakeObjects, type FakeAnswer, type FakeObject } from "./fake-objects.ts";

/** The fault of a request; undefined: it is answered from the objects. */
export type KubeFault = (request: KubeRequest) => FakeAnswer | "lost" | "hang" | undefined;

export class FakeKubeClient implements KubeClient {
  readonly objects = new FakeObjects();
  readonly requests: KubeRequest[] = [];
  fault: KubeFault = () => undefined;
  /** Whether the server sends a bookmark every minute, as a healthy server does. */
  bookmarks = true;
  readonly #clock: Clock;
  readonly #watches = new Set<AbortController>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async request(request: KubeRequest): Promise<KubeAnswer> {
    this.requests.push(request);
    const fault = this.fault(request);
    if (fault === "hang") await aborted(request.signal);
    if (request.signal?.aborted) throw new KubeError("E_KUBE_CLOSED", "the request was cancelled");
    if (fault === "lost" || fault === "hang") throw new KubeError("E_KUBE_UNREACHABLE", "no server");
    const { status, body, headers = {} } = fault ?? this.#answer(request);
    // Copied, as over a network: client and server share no object.
    const { reader } = request;
    if (status !== 200 || reader === undefined) return { status, headers, body: structuredClone(body) };
    reader.push(Buffer.from(JSON.stringify(body)));
    return { status, headers, body: reader.end() };
  }

  watch({ path, query = {}, signal }: WatchRequest): Promise<WatchStream | KubeAnswer> {
    this.requests.push({ path, query: { ...query, watch: true } });
    const fault = this.fault({ path, query });
    if (typeof fault === "string") return Promise.reject(new KubeError("E_KUBE_UNREACHABLE", "no server"));
    if (fault !== undefined) return Promise.resolve({ headers: {}, ...fault });
    const events: unknown[] = [];
    const wakeUp = new Notifier();
    const broken = new AbortController();
    const stop = this.objects.watch(path, textsOf(query), (event) => {
      events.push(structuredClone(event));
      wakeUp.notify();
    });
    if (typeof stop !== "function") return Promise.resolve({ headers: {}, ...stop });
    this.#watches.add(broken);
    const ended = signal === undefined ? broken.signal : AbortSignal.any([broken.signal, signal]);
    ended.addEventListener("abort", stop);
    const endMs = this.#clock.monotonic() + Number(query["timeoutSeconds"]) * 1_000;
    return Promise.resolve({ lines: this.#lines(events, wakeUp, ended, endMs) });
  }

  /** Breaks all open watches, as when the server is killed. */
  breakWatches(): void {
    for (const broken of this.#watches) broken.abort();
    this.#watches.clear();
  }

  /** Returns the requests of one method whose path ends with `pathEnd`. */
  of(method: string, pathEnd: string): readonly KubeRequest[] {
    return this.requests.filter((request) => request.method === method && request.path.endsWith(pathEnd));
  }

  #answer({ method = "GET", path, query = {}, body, contentType }: KubeRequest): FakeAnswer {
    const object = structuredClone(body) as FakeObject | undefined;
    const [, collection, name] = /^(.*)\/([^/]+)\/status$/.exec(path) ?? [];
    if (collection !== undefined && name !== undefined) return this.#applyStatus(collection, name, object);
    return this.objects.answer({ method, path, query: textsOf(query), object: named(object), contentType });
  }

  async *#lines(events: unknown[], wakeUp: Notifier, ended: AbortSignal, endMs: number): AsyncGenerator<unknown, void> {
    const broken = (): boolean => ended.aborted;
    while (this.#clock.monotonic() < endMs) {
      while (events.length > 0) yield events.shift();
      if (broken()) throw new KubeError("E_KUBE_CLOSED", "the watch broke off");
      const minute = new AbortController();
      const happened = wakeUp.until(() => events.length > 0, AbortSignal.any([ended, minute.signal]));
      await Promise.race([happened, this.#clock.sleep(60_000, minute.signal)]);
      minute.abort();
      const metadata = { resourceVersion: this.objects.version };
      if (events.length === 0 && !broken() && this.bookmarks)
        yield { type: "BOOKMARK", object: { kind: "Bookmark", metadata } };
    }
  }

  #applyStatus(collection: string, name: string, object: FakeObject | undefined): FakeAnswer {
    const before = this.objects.get(collection, name);
    if (before === undefined) return failure(404, `${name} not found`);
    const status = object?.["status"];
    // An apply without a change keeps the version.
    if (JSON.stringify(status) === JSON.stringify(before["status"])) return { status: 200, body: before };
    return { status: 200, body: this.objects.put(collection, { ...before, status }) };
  }
}

function textsOf(query: NonNullable<KubeRequest["query"]>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(query).map(([name, value]) => [name, String(value)]));
}

let made = 0;

function named(object: FakeObject | undefined): FakeObject | undefined {
  const { generateName } = (object?.metadata ?? {}) as { readonly generateName?: string };
  if (object === undefined || generateName === undefined) return object;
  return { ...object, metadata: { ...object.metadata, name: `${generateName}${made++}` } };
}

async function aborted(signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted) return;
  await new Promise<void>((resolve) => {
    signal?.addEventListener("abort", () => {
      resolve();
    });
  });
}

import type { KubeAnswer } from "../src/kubernetes/answer.ts";
import type { KubeClient, KubeRequest, WatchRequest, WatchStream } from "../src/kubernetes/api.ts";
import { KubeError } from "../src/kubernetes/kube-error.ts";
import type { Clock } from "../src/lib/clock.ts";

/** Kinds of requests. A watch counts when it is opened. */
export const REQUEST_KINDS = ["list", "watch", "get", "write"] as const;
export type RequestKind = (typeof REQUEST_KINDS)[number];

export interface CountedRequest {
  readonly atMs: number;
  readonly kind: RequestKind;
}

interface OpenWatch {
  readonly path: string;
  readonly events: unknown[];
  broken: boolean;
  wake: () => void;
}

const BOOKMARK_MS = 60_000;

/** The parts of an API server that agents use, in one process and on a simulated clock. It counts requests. */
export class CountingServer implements KubeClient {
  readonly requests: CountedRequest[] = [];
  readonly #clock: Clock;
  readonly #watches = new Set<OpenWatch>();
  #config: object;
  #version = 100;
  #away = false;

  constructor(clock: Clock, config: object) {
    this.#clock = clock;
    this.#config = config;
  }

  /** Replaces the TelemetryConfig. */
  change(config: object): void {
    this.#config = config;
    this.#version++;
    for (const watch of this.#watches) {
      if (!watch.path.includes("telemetryconfigs")) continue;
      watch.events.push({ type: "MODIFIED", object: this.#object() });
      watch.wake();
    }
  }

  /** Acts like a killed server: breaks open requests, and accepts no connection. */
  kill(): void {
    this.#away = true;
    for (const watch of this.#watches) {
      watch.broken = true;
      watch.wake();
    }
    this.#watches.clear();
  }

  revive(): void {
    this.#away = false;
  }

  request({ method = "GET", path, body, reader }: KubeRequest): Promise<KubeAnswer> {
    if (this.#away) return Promise.reject(new KubeError("E_KUBE_UNREACHABLE", "nothing listens there"));
    const isList = /(telemetryconfigs|virtualmachineinstances)$/.test(path);
    this.#count(method === "PATCH" ? "write" : isList ? "list" : "get");
    const answer = method === "PATCH" ? body : this.#answer(path);
    reader?.push(Buffer.from(JSON.stringify(answer)));
    return Promise.resolve({ status: 200, headers: {}, body: reader === undefined ? answer : reader.end() });
  }

  watch({ path, query = {}, signal }: WatchRequest): Promise<WatchStream> {
    if (this.#away) return Promise.reject(new KubeError("E_KUBE_UNREACHABLE", "nothing listens there"));
    this.#count("watch");
    const watch: OpenWatch = { path, events: [], broken: false, wake: () => undefined };
    this.#watches.add(watch);
    signal?.addEventListener("abort", () => {
      watch.broken = true;
      watch.wake();
    });
    const endMs = this.#clock.monotonic() + Number(query["timeoutSeconds"]) * 1_000;
    return Promise.resolve({ lines: this.#lines(watch, endMs) });
  }

  #count(kind: RequestKind): void {
    this.requests.push({ atMs: this.#clock.monotonic(), kind });
  }

  #answer(path: string): object {
    const metadata = { resourceVersion: String(this.#version) };
    if (path.endsWith("telemetryconfigs")) return { metadata, items: [this.#object()] };
    if (path.endsWith("virtualmachineinstances")) return { metadata, items: [] };
    if (path.includes("/secrets/")) return { data: { token: Buffer.from("token").toString("base64") } };
    return { metadata: { name: "node", uid: "node-uid", labels: { pool: "gpu" } } };
  }

  #object(): object {
    const { metadata } = this.#config as { readonly metadata: object };
    return { ...this.#config, metadata: { ...metadata, resourceVersion: String(this.#version) } };
  }

  async *#lines(watch: OpenWatch, endMs: number): AsyncGenerator<unknown, void> {
    while (this.#clock.monotonic() < endMs) {
      const leftMs = endMs - this.#clock.monotonic();
      const woken = new AbortController();
      watch.wake = () => {
        woken.abort();
      };
      if (watch.events.length === 0 && !watch.broken)
        await this.#clock.sleep(Math.min(BOOKMARK_MS, leftMs), woken.signal);
      if (watch.broken) throw new KubeError("E_KUBE_CLOSED", "the watch broke off");
      while (watch.events.length > 0) yield watch.events.shift();
      yield { type: "BOOKMARK", object: { metadata: { resourceVersion: String(this.#version) } } };
    }
    this.#watches.delete(watch);
  }
}

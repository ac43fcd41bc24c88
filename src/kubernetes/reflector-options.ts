import type { Clock } from "../lib/clock.ts";
import type { KubeClient } from "./api.ts";
import type { KubeError } from "./kube-error.ts";
import type { Change } from "./object-store.ts";

interface ListedEvent {
  readonly objects: number;
  /** Objects that had changed without an event. */
  readonly missed: number;
  /** Objects that are left out because they are too large. */
  readonly tooLarge: number;
  /** The most bytes of an answer that were in memory at one time. */
  readonly peakBytes: number;
}

/** The events of a reflector, for the log. */
export interface ReflectorObserver {
  /** A list has succeeded: the first one, or one after a watch failed. */
  listed(event: ListedEvent): void;
  /** The server rejects the identity or its rights. Called for every rejection. */
  denied(error: KubeError): void;
  /** A list or a watch failed. The reflector retries; the store keeps its content. */
  interrupted(error: KubeError): void;
  /** A list or a watch has succeeded again after an interruption. */
  resumed(): void;
  /** A handler or a projection threw. The reflector continues. */
  faulted(error: unknown): void;
}

export interface ReflectorOptions<T> {
  readonly client: KubeClient;
  /** Path of the collection, such as `/apis/kubevirt.io/v1/virtualmachineinstances`. */
  readonly path: string;
  /** `labelSelector` or `fieldSelector`. */
  readonly query?: Readonly<Record<string, string>>;
  /** `newest` for a long list that one process reads, `any` for a short list that thousands read; see `Freshness`. */
  readonly freshness: "any" | "newest";
  /** Returns the part of an object to keep; undefined to ignore the object. */
  readonly project: (object: unknown) => T | undefined;
  /** Called after the store has the change. */
  readonly onChange?: (change: Change<T>) => void;
  readonly observer: ReflectorObserver;
  readonly clock: Clock;
  readonly random?: () => number;
}

export interface ReflectorCounters {
  readonly lists: number;
  readonly watches: number;
  /** Watches that were opened because the previous one failed. */
  readonly reconnects: number;
  /** Additions, modifications and deletions that watches delivered. */
  readonly events: number;
  /** Changes that a list found after the first one: events that a watch should have delivered. */
  readonly missedFoundByRelist: number;
}

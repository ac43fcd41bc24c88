import { MAX_OBJECT_BYTES } from "./body-reader.ts";
import type { KubeError } from "./kube-error.ts";

/** Why a store may not have all objects of its kind. */
export interface StoreFault {
  /**
   * Forbidden: the server rejects the identity or its rights. Unreachable: it has not answered the first list, or not
   * confirmed the store for minutes. TooLarge: objects are left out.
   */
  readonly reason: "Forbidden" | "Unreachable" | "TooLarge";
  readonly message: string;
}

interface StoreState {
  /** Why the last list or watch failed; undefined if it did not. */
  readonly error: KubeError | undefined;
  readonly staleMs: number;
  readonly tooLarge: number;
}

/** A store is stale after three times the minute in which a healthy API server sends a bookmark. */
export const STALE_MS = 180_000;

/** Returns the most important fault of a store. A watch that only has to be opened again is no fault. */
export function storeFault({ error, staleMs, tooLarge }: StoreState): StoreFault | undefined {
  if (error?.code === "E_KUBE_DENIED") return { reason: "Forbidden", message: error.message };
  if (staleMs > STALE_MS) {
    const silence = Number.isFinite(staleMs) ? "has not sent anything for minutes" : "has not answered the list yet";
    return { reason: "Unreachable", message: error?.message ?? `the API server ${silence}` };
  }
  if (tooLarge === 0) return undefined;
  const objects = tooLarge === 1 ? "1 object is" : `${tooLarge} objects are`;
  const message = `${objects} left out: larger than ${MAX_OBJECT_BYTES / 2 ** 20} MiB as JSON`;
  return { reason: "TooLarge", message };
}

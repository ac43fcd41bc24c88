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
  /** The names of the objects that are left out; undefined if a name is not readable. */
  readonly tooLarge: readonly (string | undefined)[];
}

/** Most names of left-out objects in a message. */
const MAX_NAMES = 3;
/** A store is stale after three times the minute in which a healthy API server sends a bookmark. */
export const STALE_MS = 180_000;

/** Returns the most important fault of a store. A watch that only has to be opened again is no fault. */
export function storeFault({ error, staleMs, tooLarge }: StoreState): StoreFault | undefined {
  if (error?.code === "E_KUBE_DENIED") return { reason: "Forbidden", message: error.message };
  if (staleMs > STALE_MS) {
    const silence = Number.isFinite(staleMs) ? "has not sent anything for minutes" : "has not answered the list yet";
    return { reason: "Unreachable", message: error?.message ?? `the API server ${silence}` };
  }
  if (tooLarge.length === 0) return undefined;
  const objects = tooLarge.length === 1 ? "1 object is" : `${tooLarge.length} objects are`;
  const message = `${objects} left out: larger than ${MAX_OBJECT_BYTES / 2 ** 20} MiB as JSON`;
  return { reason: "TooLarge", message: message + namesOf(tooLarge) };
}

/** Returns the first names, such as `: shop/web, shop/db, shop/mail and 2 more`. */
function namesOf(names: readonly (string | undefined)[]): string {
  const readable = names.filter((name) => name !== undefined).slice(0, MAX_NAMES);
  if (readable.length === 0) return "";
  const more = names.length - readable.length;
  return `: ${readable.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

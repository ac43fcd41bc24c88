import type { KubeAnswer } from "./answer.ts";
import type { KubeClient } from "./api.ts";
import { ItemSplitter } from "./item-splitter.ts";
import { KubeError } from "./kube-error.ts";
import { asKubeObject, keyOf, metadataOf, recordOf } from "./kube-object.ts";
import type { ListedObject } from "./object-store.ts";

/**
 * How fresh a list must be.
 * - `any`: from the API server's cache. Thousands of agents list at their start, each with a selector that few objects
 *   match. Without the cache each of these lists would read all objects from etcd. The API server ignores `limit` for the
 *   cache, but the lists are short.
 * - a version: from the cache, but not older than this version, because another API server may lag behind the one that
 *   answered before. The request has no limit: on older servers a limit would bypass the cache.
 * - `newest`: consistent and in pages. For long lists without a selector, and for servers whose cache cannot answer.
 */
export type Freshness = "any" | "newest" | { readonly notOlderThan: string };

export interface ListRequest<T> {
  readonly client: KubeClient;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly freshness: Freshness;
  readonly project: (object: unknown) => T | undefined;
  readonly signal: AbortSignal;
}

export interface Listing<T> {
  /** A watch can start at this version. */
  readonly version: string;
  readonly objects: ReadonlyMap<string, ListedObject<T>>;
  /** `namespace/name` of the objects that are left out because they are too large; undefined if it is not readable. */
  readonly tooLarge: readonly (string | undefined)[];
  /** The most bytes of an answer that were in memory at one time. */
  readonly peakBytes: number;
}

const PAGE = 500;
/** API servers end a request after a minute. */
const PAGE_MS = 60_000;

/**
 * Resolves to all objects of a kind, or to the answer if the status of a page is not 200. The text of one object is in memory
 * at a time; only the projections are kept.
 * @throws {KubeError}
 */
export async function list<T>(request: ListRequest<T>): Promise<Listing<T> | KubeAnswer> {
  const { client, path, signal } = request;
  const objects = new Map<string, ListedObject<T>>();
  const tooLarge: (string | undefined)[] = [];
  let peakBytes = 0;
  const listener = {
    item: (item: unknown): void => {
      const meta = asKubeObject(item);
      const object = request.project(item);
      if (object !== undefined) objects.set(keyOf(meta), { version: meta.metadata.resourceVersion, object });
    },
    tooLarge: (name: string | undefined): void => {
      tooLarge.push(name);
    },
  };
  let page = firstPage(request.freshness);
  for (;;) {
    const reader = new ItemSplitter(listener);
    const query = { ...request.query, ...page };
    const answer = await client.request({ path, query, signal, deadlineMs: PAGE_MS, reader });
    if (answer.status !== 200) return answer;
    peakBytes = Math.max(peakBytes, reader.peakBytes);
    const { items } = recordOf(answer.body);
    const { resourceVersion, continue: next } = metadataOf(answer.body);
    if (!Array.isArray(items) || typeof resourceVersion !== "string")
      throw new KubeError("E_KUBE_PROTOCOL", `the answer to ${path} is not a list`);
    if (typeof next !== "string" || next === "") return { version: resourceVersion, objects, tooLarge, peakBytes };
    page = { limit: PAGE, continue: next };
  }
}

function firstPage(freshness: Freshness): Readonly<Record<string, string | number>> {
  if (freshness === "newest") return { limit: PAGE };
  // The API server heeds the limit until its cache is filled.
  if (freshness === "any") return { limit: PAGE, resourceVersion: "0" };
  return { resourceVersion: freshness.notOlderThan, resourceVersionMatch: "NotOlderThan" };
}

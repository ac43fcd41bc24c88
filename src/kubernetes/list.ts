import type { KubeAnswer } from "./answer.ts";
import type { KubeClient } from "./api.ts";
import { KubeError } from "./kube-error.ts";
import { asKubeObject, keyOf, metadataOf, recordOf } from "./kube-object.ts";
import type { ListedObject } from "./object-store.ts";

/**
 * How fresh a list has to be.
 * - `any`: whatever the API server has in its cache. The first list of thousands of agents must not become as many reads
 *   of etcd, each through all objects of the cluster, for the few that the selector lets through. The API server ignores
 *   `limit` then, which costs nothing for the same reason: what the selector lets through is little.
 * - a version: from the cache as well, but not older than what has been seen; another API server may lag behind the one
 *   that was asked before. There is no limit in the request: one would send it to etcd on older servers.
 * - `newest`: consistent and in pages. For lists without a selector, which are long, and when the cache does not serve.
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
  /** A watch goes on from here. */
  readonly version: string;
  readonly objects: ReadonlyMap<string, ListedObject<T>>;
}

const PAGE = 500;
/** An API server ends a request after a minute. */
const PAGE_MS = 60_000;

/**
 * Lists a kind. One page is held at a time, and of it only the projections are kept. An answer other than 200, also to a
 * later page, is returned as it is.
 * @throws {KubeError}
 */
export async function list<T>(request: ListRequest<T>): Promise<Listing<T> | KubeAnswer> {
  const { client, path, signal } = request;
  const objects = new Map<string, ListedObject<T>>();
  let page = firstPage(request.freshness);
  for (;;) {
    const answer = await client.request({ path, query: { ...request.query, ...page }, signal, deadlineMs: PAGE_MS });
    if (answer.status !== 200) return answer;
    const { items } = recordOf(answer.body);
    const { resourceVersion, continue: next } = metadataOf(answer.body);
    if (!Array.isArray(items) || typeof resourceVersion !== "string")
      throw new KubeError("E_KUBE_PROTOCOL", `the answer to ${path} is no list`);
    for (const item of items) {
      const object = request.project(item);
      const meta = asKubeObject(item);
      if (object !== undefined) objects.set(keyOf(meta), { version: meta.metadata.resourceVersion, object });
    }
    if (typeof next !== "string" || next === "") return { version: resourceVersion, objects };
    page = { limit: PAGE, continue: next };
  }
}

function firstPage(freshness: Freshness): Readonly<Record<string, string | number>> {
  if (freshness === "newest") return { limit: PAGE };
  // Before its cache is filled the API server does heed the limit.
  if (freshness === "any") return { limit: PAGE, resourceVersion: "0" };
  return { resourceVersion: freshness.notOlderThan, resourceVersionMatch: "NotOlderThan" };
}

import { KubeError } from "./kube-error.ts";

/** As much of any object as this part looks at. */
export interface KubeObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly resourceVersion: string;
  };
}

/** @throws {KubeError} E_KUBE_PROTOCOL if it is no object of the API */
export function asKubeObject(raw: unknown): KubeObject {
  const { name, namespace = "", resourceVersion } = metadataOf(raw);
  if ([name, namespace, resourceVersion].every((text) => typeof text === "string")) return raw as KubeObject;
  throw new KubeError("E_KUBE_PROTOCOL", "the API server sent an object without a name or a resourceVersion");
}

/** `namespace/name`, or `name` for what has no namespace. */
export function keyOf({ metadata: { namespace, name } }: KubeObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** The metadata of an object, of a list or of a bookmark, of which any field may be missing. */
export function metadataOf(raw: unknown): Readonly<Record<string, unknown>> {
  return recordOf(recordOf(raw)["metadata"]);
}

/** Its fields if it is an object, else none. */
export function recordOf(raw: unknown): Readonly<Record<string, unknown>> {
  return typeof raw === "object" && raw !== null ? (raw as Readonly<Record<string, unknown>>) : {};
}

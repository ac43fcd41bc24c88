import { KubeError } from "./kube-error.ts";

/** The fields that this program needs of every object of the API. */
export interface KubeObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly resourceVersion: string;
  };
}

/**
 * Returns the value as an object of the API.
 * @throws {KubeError} E_KUBE_PROTOCOL if it has no name or no resourceVersion
 */
export function asKubeObject(raw: unknown): KubeObject {
  const { name, namespace = "", resourceVersion } = metadataOf(raw);
  if ([name, namespace, resourceVersion].every((text) => typeof text === "string")) return raw as KubeObject;
  throw new KubeError("E_KUBE_PROTOCOL", "the API server sent an object without a name or a resourceVersion");
}

/** Returns `namespace/name`, or `name` for an object without a namespace. */
export function keyOf({ metadata: { namespace, name } }: KubeObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** Returns the metadata of an object, a list or a bookmark. Any field may be missing. */
export function metadataOf(raw: unknown): Readonly<Record<string, unknown>> {
  return recordOf(recordOf(raw)["metadata"]);
}

/** Returns the value if it is an object, else an empty object. */
export function recordOf(raw: unknown): Readonly<Record<string, unknown>> {
  return typeof raw === "object" && raw !== null ? (raw as Readonly<Record<string, unknown>>) : {};
}

export interface Resource {
  /** `""` for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  /** Only for kinds that are in namespaces. */
  readonly namespace?: string;
  /** If not given, the path is that of the collection. */
  readonly name?: string;
  readonly subresource?: "status";
}

/** Returns the path of a collection, an object or a subresource in the API. */
export function resourcePath({ group, version, plural, namespace, name, subresource }: Resource): string {
  const parts = [
    ...(group === "" ? ["api", version] : ["apis", group, version]),
    ...(namespace === undefined ? [] : ["namespaces", namespace]),
    plural,
    ...(name === undefined ? [] : [name]),
    ...(subresource === undefined ? [] : [subresource]),
  ];
  return `/${parts.map(encodeURIComponent).join("/")}`;
}

/** Returns the time of a Lease or an Event: RFC 3339 with exactly six digits after the second, as the API requires. */
export function microTime(ms: number): string {
  return new Date(ms).toISOString().replace("Z", "000Z");
}

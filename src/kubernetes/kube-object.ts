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

/** A time in a Lease or an Event: the API takes it with exactly six digits behind the second. */
export function microTime(ms: number): string {
  return new Date(ms).toISOString().replace("Z", "000Z");
}

export interface Resource {
  /** `""` for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  /** For kinds that have one. */
  readonly namespace?: string;
  /** Without: the collection. */
  readonly name?: string;
  readonly subresource?: "status";
}

/** The path of a collection, an object or a subresource in the API. */
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

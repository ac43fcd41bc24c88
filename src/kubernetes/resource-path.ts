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

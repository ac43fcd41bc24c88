/** How Kubernetes merges a list, and which of its items must differ: options of an array in a schema. */
export const ATOMIC = { "x-kubernetes-list-type": "atomic" } as const;
/** Items that differ. */
export const SET = { "x-kubernetes-list-type": "set" } as const;
/** Objects that differ in one field. */
export const keyedBy = (field: string) =>
  ({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [field] }) as const;

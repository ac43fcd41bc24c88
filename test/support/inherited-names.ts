/** Keys that every object inherits: what a lookup by a foreign key must not find. */
export const INHERITED_NAMES: readonly string[] = [...Object.getOwnPropertyNames(Object.prototype), "prototype"];

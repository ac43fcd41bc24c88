/** Keys that every object inherits. A lookup by a key from outside must not find them. */
export const INHERITED_NAMES: readonly string[] = [...Object.getOwnPropertyNames(Object.prototype), "prototype"];

/** Suffix of a quantity -> its power of ten. */
const POWERS_OF_TEN: ReadonlyMap<string, number> = new Map([
  ["n", -9],
  ["u", -6],
  ["m", -3],
  ...["k", "M", "G", "T", "P", "E"].map((suffix, index) => [suffix, 3 * (index + 1)] as const),
]);
const BINARY = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const QUANTITY = /^\+?(\d{1,19}(?:\.\d{0,9})?|\.\d{1,9})(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d{1,2}))?$/;

/** Returns the number of a quantity of Kubernetes such as `500m`, `1.5` or `2Gi`; undefined for any other value. */
export function parseQuantity(value: unknown): number | undefined {
  const text = typeof value === "number" ? String(value) : value;
  if (typeof text !== "string" || text.length > 40) return undefined;
  const [, digits, suffix = "", exponent = "0"] = QUANTITY.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const factor = 1024 ** (BINARY.indexOf(suffix) + 1);
  return Number(`${digits}e${POWERS_OF_TEN.get(suffix) ?? exponent}`) * factor;
}

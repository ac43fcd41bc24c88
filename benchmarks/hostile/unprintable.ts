/** Control and format characters, such as ESC and the bidirectional overrides, and separators of lines. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\u2028\u2029]/u;

/** Returns whether a text in a JSON document, or in the value, has a character that a terminal obeys. */
export function isUnprintable(document: unknown): boolean {
  if (typeof document === "string") return textsOf(parsed(document)).some((text) => UNPRINTABLE.test(text));
  return textsOf(document).some((text) => UNPRINTABLE.test(text));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function textsOf(value: unknown): readonly string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [name, ...textsOf(inner)]);
}

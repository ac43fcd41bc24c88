/**
 * Two ways to put lines of the line protocol into kinds, the coarser first. Servers reject a line because of the type of a
 * column, so lines of one kind are good or bad together:
 * - the measurement, and its fields with their types;
 * - the names of the tags.
 */
export const LINE_KINDS: readonly ((line: Uint8Array) => string)[] = [
  (line) => {
    const text = Buffer.from(line).toString("latin1");
    const names = [text.slice(0, endOf(", ", text, 0))];
    for (let at = endOf(" ", text, 0); at < text.length && names.length <= MAX_NAMES;) {
      const value = endOf("=", text, at + 1) + 1;
      // A comma or a blank in a quoted text ends no value.
      const from = text[value] === '"' ? endOf('"', text, value + 1) : value;
      const end = endOf(", ", text, from);
      names.push(text.slice(at + 1, value) + typeOf(text.slice(value, end)));
      at = text[end] === "," ? end : text.length;
    }
    return names.join();
  },
  (line) => {
    const text = Buffer.from(line).toString("latin1");
    const series = text.slice(0, endOf(" ", text, 0));
    const names: string[] = [];
    for (let at = endOf(",", series, 0); at < series.length && names.length <= MAX_NAMES;) {
      const end = endOf(",", series, at + 1);
      const tag = series.slice(at + 1, end);
      names.push(tag.slice(0, endOf("=", tag, 0)));
      at = end;
    }
    return names.join();
  },
];

/** More fields or tags of one line make no difference. */
const MAX_NAMES = 1_000;

/** Returns the index of the first of these characters without a backslash before it, or the length of the text. */
function endOf(characters: string, text: string, from: number): number {
  let at = from;
  for (; at < text.length && !characters.includes(text[at] ?? ""); at++) if (text[at] === "\\") at++;
  return Math.min(at, text.length);
}

/** Returns a character for the type of a value: a text, a boolean, an integer, an unsigned integer or a float. */
function typeOf(value: string): string {
  if (value.startsWith('"')) return "s";
  if (/^[tf]/i.test(value)) return "b";
  return /[iu]$/.exec(value)?.[0] ?? "f";
}

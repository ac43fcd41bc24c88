/** A field and the comma behind it. The group is the first character of a text, or the value up to the comma or blank. */
const FIELD = /((?:[^=\\]|\\.)+)=(?:(")(?:[^"\\]|\\.)*"|([^, ]*)),?/y;
/** A comma, and the tag behind it. */
const TAG = /,((?:[^=\\]|\\.)+)=(?:[^,\\]|\\.)*/y;
/** The measurement and the tags. The first group is the measurement. */
const SERIES = /^((?:[^, \\]|\\.)*)((?:[^ \\]|\\.)*) /;

/**
 * Two ways to put lines of the line protocol into kinds, the coarser first. Servers reject a line because of the type of a
 * column, so lines of one kind are good or bad together:
 * - the measurement, and its fields with their types;
 * - the names of the tags.
 */
export const LINE_KINDS: readonly ((line: Uint8Array) => string)[] = [
  (line) => {
    const { measurement, fields } = partsOf(line);
    return [
      measurement,
      ...matches(FIELD, fields).map(([, name, quote, value = ""]) => name + typeOf(quote ?? value)),
    ].join();
  },
  (line) =>
    matches(TAG, partsOf(line).tags)
      .map(([, name]) => name)
      .join(),
];

function partsOf(line: Uint8Array): { readonly measurement: string; readonly tags: string; readonly fields: string } {
  const text = Buffer.from(line).toString("latin1");
  const [series = "", measurement = "", tags = ""] = SERIES.exec(text) ?? [];
  return { measurement, tags, fields: text.slice(series.length) };
}

/** Returns the matches that follow each other from the beginning of the text. */
function matches(sticky: RegExp, text: string): readonly RegExpExecArray[] {
  const found: RegExpExecArray[] = [];
  sticky.lastIndex = 0;
  for (let match = sticky.exec(text); match !== null; match = sticky.exec(text)) found.push(match);
  return found;
}

/** Returns a character that tells the type of a value: a text, a boolean, an integer, an unsigned integer or a float. */
function typeOf(value: string): string {
  if (value === '"') return "s";
  if (/^[tf]/i.test(value)) return "b";
  return /[iu]$/.exec(value)?.[0] ?? "f";
}

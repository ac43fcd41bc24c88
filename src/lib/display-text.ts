/** Characters that take two columns of a terminal: East Asian scripts and emoji. */
const WIDE = /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|\p{Emoji_Presentation}/u;
const WITHOUT_WIDTH = /\p{Mn}|\p{Me}/u;
/** Characters that control a terminal, change the direction of text, or are half of a character. */
const CONTROL = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
/** What `foreignText` changes: control characters, and white space other than single spaces between words. */
const UNCLEAN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|\s{2}|^\s|\s$|[^\S ]/u;

/**
 * Returns one printable line of at most `max` UTF-16 code units. Every foreign text (of a launcher, a target, an API server, a
 * file) passes this function before it is logged, reported or shown. White space becomes one space, a control
 * character becomes `?`, and a text that is cut ends with `…`. A text that has passed it is not changed again.
 */
export function foreignText(text: string, max: number): string {
  if (text.length <= max && !UNCLEAN.test(text)) return text;
  // Cut first: a text of megabytes must not cost more than a short one.
  const head = text.slice(0, 2 * max);
  const line = head.replace(/\s+/g, " ").trim().replace(CONTROL, "?");
  if (line.length <= max && head.length === text.length) return line;
  // Not between the halves of a character outside the basic plane, and no space before the ellipsis.
  return `${line
    .slice(0, max - 1)
    .replace(/[\uD800-\uDBFF]$/, "")
    .trimEnd()}…`;
}

/**
 * Returns one printable line of at most `max` code units, as `foreignText` does. The remedy of an error, which is in parentheses
 * at its end, is kept: the text before it is cut.
 */
export function foreignError(text: string, max: number): string {
  const [remedy] = (text.length > max ? / \([^()]*\)\s*$/.exec(text.slice(-max / 2)) : null) ?? [];
  if (remedy === undefined) return foreignText(text, max);
  const end = foreignText(remedy, max);
  return `${foreignText(text.slice(0, text.length - remedy.length), max - end.length - 1)} ${end}`;
}

/** Returns the number of terminal columns that a printable text takes. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += widthOf(character);
  return width;
}

/** Returns the text, shortened to at most `columns` columns; a shortened text ends with `…`. */
export function fit(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  if (columns <= 0) return "";
  let cut = "";
  let width = 1;
  for (const character of text) {
    width += widthOf(character);
    if (width > columns) break;
    cut += character;
  }
  return `${cut}…`;
}

function widthOf(character: string): number {
  if (WITHOUT_WIDTH.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

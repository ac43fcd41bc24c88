/** Takes two columns of a terminal: the scripts of East Asia, and pictures. */
const WIDE = /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|\p{Emoji_Presentation}/u;
const WITHOUT_WIDTH = /\p{Mn}|\p{Me}/u;
/** What steers a terminal or turns the direction of the text. */
const STEERING = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** A text from outside, which can do nothing to the terminal but be read. */
export function printable(text: string): string {
  return text.replace(STEERING, "?");
}

/** Columns of a terminal that a printable text takes. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += widthOf(character);
  return width;
}

/** The text cut to so many columns, with a sign that it was cut. */
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

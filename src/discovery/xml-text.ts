const ENTITIES: ReadonlyMap<string, string> = new Map([
  ["&lt;", "<"],
  ["&gt;", ">"],
  ["&amp;", "&"],
  ["&quot;", '"'],
  ["&apos;", "'"],
]);

/** Returns a text with its references to characters replaced. Others are kept as they are. */
export function decoded(text: string): string {
  return text.replace(/&#?[0-9a-z]{1,8};/gi, (reference) => ENTITIES.get(reference) ?? character(reference));
}

/** Returns the character of a reference such as `&#65;` or `&#x41;`, or the reference itself if it has no character. */
function character(reference: string): string {
  const code = /^&#(?:x[0-9a-f]+|[0-9]+);$/i.test(reference) ? Number(`0${reference.slice(2, -1)}`) : Number.NaN;
  return code <= 0x10ffff ? String.fromCodePoint(code) : reference;
}

/** Returns a text that does not keep the whole XML in memory, as a part of a string does. */
export function copied(text: string): string {
  return Buffer.from(text, "utf16le").toString("utf16le");
}

/** Returns the whole number at a position, of seven digits at most; undefined for other content. */
export function wholeNumber(xml: string, at: number): number | undefined {
  const digits = /^\s*(\d{1,7})\s*</.exec(xml.slice(at, at + 32))?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Returns the text at a position up to the next element, without blanks around it; cut after `maxLength` + 1 characters. */
export function textAt(xml: string, at: number, maxLength: number): string {
  const end = xml.indexOf("<", at);
  return xml.slice(at, Math.min(end === -1 ? xml.length : end, at + maxLength + 1)).trim();
}

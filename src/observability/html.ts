/** A piece of a page in which everything that came from outside is escaped. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Content = string | number | Html | readonly Html[] | undefined;

/** Makes a piece of a page; what is put in is escaped unless it is such a piece itself. Undefined leaves nothing. */
export function html(strings: TemplateStringsArray, ...contents: readonly Content[]): Html {
  return new Html(strings.reduce((text, string, index) => text + textOf(contents[index - 1]) + string));
}

function textOf(content: Content): string {
  if (content === undefined) return "";
  if (content instanceof Html) return content.text;
  if (typeof content === "object") return content.map(({ text }) => text).join("");
  return escapeHtml(String(content));
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

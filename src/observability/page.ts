import { createHash } from "node:crypto";
import { foreignText } from "../lib/display-text.ts";
import type { Answer } from "./http-server.ts";
import { STYLE } from "./page-style.ts";

/** A piece of a page. All inserted text is already escaped. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Longer than the name of any VM, in characters. A launcher that was taken over can send texts of megabytes. */
const MAX_TEXT = 500;
/** Most lines of a configuration. */
const MAX_LINES = 2_000;

export type Content = string | number | Html | readonly Html[] | undefined;

/** Returns a piece of a page. Inserted texts are made printable and escaped unless they are Html; undefined inserts nothing. */
export function html(strings: TemplateStringsArray, ...contents: readonly Content[]): Html {
  return new Html(strings.reduce((text, string, index) => text + textOf(contents[index - 1]) + string));
}

function textOf(content: Content): string {
  if (content === undefined) return "";
  if (content instanceof Html) return content.text;
  if (typeof content === "object") return content.map(({ text }) => text).join("");
  return escapeHtml(foreignText(String(content), MAX_TEXT));
}

/** Returns a text of several lines, such as a configuration. */
export function longText(text: string): Html {
  const lines = text.split("\n", MAX_LINES + 1).map((line) => {
    const indent = /^ {0,40}/.exec(line)?.[0] ?? "";
    return indent + foreignText(line.slice(indent.length), MAX_TEXT);
  });
  const shown = lines.length > MAX_LINES ? lines.with(MAX_LINES, "…") : lines;
  return new Html(escapeHtml(shown.join("\n")));
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** The formatter must not change this text: the browser compares its hash with the policy. */
const STYLE_ELEMENT = new Html(`<style>${STYLE}</style>`);
const STYLE_HASH = createHash("sha256").update(STYLE).digest("base64");

/** Nothing is loaded and no script runs, even if a page contains injected text. The form of the search asks this server only. */
const POLICY = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`;

const REFRESH_S = 5;

export interface PageContent {
  readonly title: string;
  /** Beside the title: the overall state in one or two words. */
  readonly verdict: Html;
  readonly subtitle: Html;
  readonly body: readonly Html[];
}

/**
 * Returns a path with a query; empty settings are left out. Values are encoded, so a name can neither begin another setting nor
 * end the attribute that has the link.
 */
export function linkTo(path: string, settings: Readonly<Record<string, string>>): string {
  const parts = Object.entries(settings).flatMap(([key, value]) =>
    value === "" ? [] : [`${key}=${encodeURIComponent(value.toWellFormed())}`],
  );
  return parts.length === 0 ? path : `${path}?${parts.join("&")}`;
}

/** Returns a link to a result of `linkTo`, which is not cut as other texts are. */
export function anchor(link: string, text: string): Html {
  return html`<a href="${new Html(escapeHtml(link))}">${text}</a>`;
}

/** Whether a page refreshes itself, and its link with the other choice. */
export interface Refresh {
  readonly isOff: boolean;
  readonly other: string;
}

/** Returns the value of the setting `refresh`. */
export function refreshSetting(isOff: boolean): string {
  return isOff ? "off" : "";
}

/** Returns a page that refreshes itself every few seconds; `?refresh=off` disables that. */
export function pageAnswer({ title, verdict, subtitle, body }: PageContent, { isOff, other }: Refresh): Answer {
  const refresh = isOff ? undefined : html`<meta http-equiv="refresh" content="${REFRESH_S}" />`;
  const control = isOff
    ? html`Auto-refresh is off. ${anchor(other, "Turn on")}.`
    : html`Auto-refresh every ${REFRESH_S} seconds. ${anchor(other, "Turn off")}.`;
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        ${refresh}
        <title>${title}</title>
        ${STYLE_ELEMENT}
      </head>
      <body>
        <header>
          <h1>${title}</h1>
          ${verdict}<span class="soft">${subtitle}</span>
        </header>
        <main>${body}</main>
        <footer>
          ${control} More: <a href="/metrics">metrics</a>, <a href="/healthz">health</a>,
          <a href="/readyz">readiness</a>.
        </footer>
      </body>
    </html> `;
  return {
    type: "text/html; charset=utf-8",
    body: page.text,
    headers: { "content-security-policy": POLICY },
  };
}

export type Tone = "good" | "warn" | "bad" | "none";

/** Returns a coloured word. The colour adds no information that the word lacks. */
export function chip(word: string, tone: Tone): Html {
  return html`<span class="chip ${tone}">${word}</span>`;
}

export interface Column<Row> {
  readonly title: string;
  readonly kind?: "number" | "text";
  /** The link that sorts by this column, and whether the rows are sorted by it. */
  readonly sort?: { readonly link: string; readonly isActive: boolean };
  readonly cell: (row: Row) => Html | string | number;
}

/** Returns a list of named values, each with a note. */
export function factList(entries: readonly (readonly [name: string, value: string | number, note: string])[]): Html {
  return html`<dl class="facts">
    ${entries.map(
      ([name, value, note]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${value} <small>${note}</small></dd>
        </div> `,
    )}
  </dl>`;
}

/**
 * Returns a section with a table, or with the text `empty` when there are no rows. The first column names the row. `before` is
 * inserted between the title and the table.
 */
export function tableSection<Row>(
  title: string,
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  empty: string,
  before?: Html,
): Html {
  const id = title.toLowerCase().replace(/\W+/g, "-");
  if (rows.length === 0)
    return html`<section aria-labelledby="${id}">
      <h2 id="${id}">${title}</h2>
      ${before}
      <p class="soft">${empty}</p>
    </section>`;
  const classOf = ({ kind }: Column<Row>): Html =>
    new Html(kind === undefined ? "" : ` class="${kind === "number" ? "n" : "text"}"`);
  const head = columns.map((column) => {
    const { title, sort } = column;
    const order = new Html(
      sort?.isActive === true ? ` aria-sort="${column.kind === undefined ? "a" : "de"}scending"` : "",
    );
    return html`<th scope="col" ${classOf(column)}${order}>
      ${sort === undefined ? title : anchor(sort.link, title)}
    </th>`;
  });
  const body = rows.map(
    (row) =>
      html`<tr>
        ${columns.map((column, index) =>
          index === 0
            ? html`<th scope="row">${column.cell(row)}</th>`
            : html`<td${classOf(column)}>${column.cell(row)}</td>`,
        )}
      </tr> `,
  );
  return html`<section aria-labelledby="${id}">
    <h2 id="${id}">${title}</h2>
    ${before}
    <div class="scroll" tabindex="0" role="group" aria-labelledby="${id}">
      <table aria-labelledby="${id}">
        <thead>
          <tr>
            ${head}
          </tr>
        </thead>
        <tbody>
          ${body}
        </tbody>
      </table>
    </div>
  </section>`;
}

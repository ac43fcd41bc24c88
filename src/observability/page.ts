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

/** Nothing is loaded and no script runs, even if a page contains injected text. */
const POLICY = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

const REFRESH_S = 5;

export interface PageContent {
  readonly title: string;
  /** Beside the title: the overall state in one or two words. */
  readonly verdict: Html;
  readonly subtitle: Html;
  readonly body: readonly Html[];
}

export interface PageQuery {
  /** Of the table of VMs, from 1. */
  readonly page: number;
  readonly refreshOff: boolean;
}

/** Returns the query of a request, with a page from 1 to `pages`. */
export function pageQuery(query: URLSearchParams, pages = 1): PageQuery {
  const text = query.get("page") ?? "";
  const page = /^[0-9]{1,6}$/.test(text) ? Number(text) : 1;
  return { page: Math.min(Math.max(page, 1), pages), refreshOff: query.get("refresh") === "off" };
}

/** Returns the path with this query. */
export function pageLink({ page, refreshOff }: PageQuery): string {
  const parts = [...(page === 1 ? [] : [`page=${page}`]), ...(refreshOff ? ["refresh=off"] : [])];
  return parts.length === 0 ? "/" : `/?${parts.join("&")}`;
}

/** Returns a function that calls `make` once for each query that differs, and then returns the same answer again. */
export function sharedAnswers(make: (query: PageQuery) => Answer): (query: PageQuery) => Answer {
  const answers = new Map<string, Answer>();
  return (query) => {
    const link = pageLink(query);
    const answer = answers.get(link) ?? make(query);
    answers.set(link, answer);
    return answer;
  };
}

/** Returns a page that refreshes itself every few seconds; `?refresh=off` disables that. */
export function pageAnswer({ title, verdict, subtitle, body }: PageContent, query: PageQuery): Answer {
  const { refreshOff } = query;
  const other = pageLink({ ...query, refreshOff: !refreshOff });
  const refresh = refreshOff ? undefined : html`<meta http-equiv="refresh" content="${REFRESH_S}" />`;
  const control = refreshOff
    ? html`Auto-refresh is off. <a href="${other}">Turn on</a>.`
    : html`Auto-refresh every ${REFRESH_S} seconds. <a href="${other}">Turn off</a>.`;
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
  readonly cell: (row: Row) => Html | string | number;
}

/** Returns a section with a table, or with the text `empty` when there are no rows. The first column names the row. */
export function tableSection<Row>(
  title: string,
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  empty: string,
): Html {
  const id = title.toLowerCase().replace(/\W+/g, "-");
  if (rows.length === 0)
    return html`<section aria-labelledby="${id}">
      <h2 id="${id}">${title}</h2>
      <p class="soft">${empty}</p>
    </section>`;
  const classOf = ({ kind }: Column<Row>): Html =>
    new Html(kind === undefined ? "" : ` class="${kind === "number" ? "n" : "text"}"`);
  const head = columns.map((column) => html`<th scope="col" ${classOf(column)}>${column.title}</th>`);
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

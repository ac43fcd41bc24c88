import { createHash } from "node:crypto";
import { html, Html } from "./html.ts";
import type { Answer } from "./http-server.ts";
import { STYLE } from "./page-style.ts";

/** Whole, because the browser compares it with its hash to the last blank. */
const STYLE_ELEMENT = new Html(`<style>${STYLE}</style>`);
const STYLE_HASH = createHash("sha256").update(STYLE).digest("base64");

/** Nothing is loaded and no script runs, whatever gets into a page. */
const POLICY = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

const REFRESH_S = 5;

export interface PageContent {
  readonly title: string;
  /** Beside the title: in a word or two, how things are. */
  readonly verdict: Html;
  readonly subtitle: Html;
  readonly body: readonly Html[];
}

/** A page that renews itself every few seconds, and with `?refresh=off` does not, for who needs time to read. */
export function pageAnswer({ title, verdict, subtitle, body }: PageContent, query: URLSearchParams): Answer {
  const still = query.get("refresh") === "off";
  const refresh = still ? undefined : html`<meta http-equiv="refresh" content="${REFRESH_S}" />`;
  const control = still
    ? html`This page stands still. <a href="/">Let it renew itself</a>.`
    : html`This page renews itself every ${REFRESH_S} seconds. <a href="/?refresh=off">Stop that</a>.`;
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
          ${control} Also here: <a href="/metrics">metrics</a>, <a href="/healthz">health</a>,
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

/** A word that is coloured; the colour says nothing that the word does not. */
export function chip(word: string, tone: Tone): Html {
  return html`<span class="chip ${tone}">${word}</span>`;
}

export interface Column<Row> {
  readonly title: string;
  readonly kind?: "number" | "text";
  readonly cell: (row: Row) => Html | string | number;
}

/** A section with a table; the first column names the row. */
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

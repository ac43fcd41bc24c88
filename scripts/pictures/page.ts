import type { AnsweredDashboard } from "./answers.ts";
import { markLegend, PADDING, panelContent } from "./panels.ts";
import { Html, html } from "../../src/observability/page.ts";
import type { GrafanaPanel } from "../../test/integration/support/grafana.ts";

/** Grafana's grid, in pixels: 24 columns, and the height of a row. */
const COLUMNS = 24;
const ROW = 30;
const GAP = 8;
export const PAGE_WIDTH = 1280;
const MARGIN = 16;
const COLUMN = (PAGE_WIDTH - 2 * MARGIN + GAP) / COLUMNS - GAP;
const TITLE = 22;

const STYLE = `
*{box-sizing:border-box}
body{margin:0;background:#f3f5f8;color:#1b2733;font:12px/1.4 system-ui,sans-serif}
main{width:${PAGE_WIDTH}px;padding:${MARGIN}px;margin:0 auto}
h1{font-size:19px;margin:0 0 2px}h2{font-size:14px;margin:14px 0 6px}h3{font-size:12px;line-height:18px;height:${TITLE}px;margin:0;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
p{margin:0 0 6px;color:#5b6672}
.chosen span{margin-right:14px}.chosen i,.legend i{display:inline-block;width:12px;height:3px;margin-right:6px;vertical-align:middle;border-radius:2px}
.grid{display:grid;grid-template-columns:repeat(${COLUMNS},${COLUMN}px);grid-auto-rows:${ROW}px;gap:${GAP}px}
section{background:#fff;border:1px solid #dde3ea;border-radius:3px;padding:${PADDING}px;overflow:hidden;position:relative}
svg{display:block}
table{border-collapse:collapse;width:100%}
.legend{font-size:11px;line-height:17px}.legend td,.legend th{padding:0 0 0 14px;height:17px}.legend th{font-weight:normal;text-align:right;color:#5b6672}
.legend .name{padding-left:0;width:100%;max-width:0;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}.legend .more{padding-left:18px;color:#5b6672}
.number{text-align:right;white-space:nowrap}
.stat{font-size:23px;line-height:1.3;text-align:center;color:#1b2733;font-weight:600;margin:4px 0 0;white-space:nowrap}
.stat+svg{position:absolute;left:0;bottom:0}
.empty{padding-top:24px;text-align:center}
.rows td,.rows th{text-align:left;padding:2px 6px 2px 0;border-bottom:1px solid #eef1f5;white-space:nowrap}.rows th{color:#5b6672;font-weight:600}
.gauge{width:45%}.gauge span{display:inline-block;width:calc(100% - 84px);height:10px;background:#eef1f5;vertical-align:middle}.gauge i{display:block;height:10px;opacity:.75}.gauge b{display:inline-block;width:84px;text-align:right;font-weight:normal}
.states{display:grid;height:calc(100% - ${TITLE}px);grid-auto-rows:1fr;grid-template-rows:none;grid-template-columns:max-content 1fr;gap:4px 10px;align-items:center}.states b{font-weight:normal}.states div{position:relative;height:100%;min-height:26px}
.states div:not(.ticks) span{position:absolute;top:0;bottom:0;color:#fff;padding:4px 0 0 6px;overflow:hidden;opacity:.85}
.states .ticks{display:flex;justify-content:space-between;align-items:end;color:#5b6672;font-size:11px}
`;

/** Nothing is loaded, and no script runs. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'";

/** Returns whether a row is shown. A row that is not open has the families that it needs in its title. */
type RowFilter = (isOpen: boolean, index: number) => boolean;

/** Returns a page of its own with these dashboards. It loads nothing and has no scripts. */
export function dashboardPage(dashboards: readonly AnsweredDashboard[], isShown: RowFilter = () => true): string {
  const [first] = dashboards;
  const title = dashboards.length === 1 ? first?.dashboard.title : "KubeVirt telemetry";
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <title>${title}</title>
        <meta http-equiv="content-security-policy" content="${new Html(POLICY)}" />
        <style>
          ${new Html(STYLE)}
        </style>
      </head>
      <body>
        <main>${dashboards.map((answered) => dashboardOf(answered, isShown))}</main>
      </body>
    </html> `.text;
}

interface Row {
  readonly title: string;
  readonly isOpen: boolean;
  readonly panels: readonly GrafanaPanel[];
}

function dashboardOf(answered: AnsweredDashboard, isShown: RowFilter): Html {
  const { dashboard, shown, chosen } = answered;
  const time = (ms: number): string => new Date(ms).toISOString().slice(0, 16).replace("T", " ");
  return html`<h1>${dashboard.title}</h1>
    <p class="chosen">
      ${chosen.map((text) => html`<span>${text}</span>`)}<span
        >${time(shown.fromMs)} to ${time(shown.toMs + 1)} UTC</span
      >${dashboard.annotations.list.map(({ name, iconColor }) => markLegend(name, iconColor))}
    </p>
    ${rowsOf(dashboard.panels)
      .filter(({ isOpen }, index) => isShown(isOpen, index))
      .map((row) => rowOf(row, answered))}`;
}

/** Returns the rows of a dashboard; closed ones are open. */
function rowsOf(panels: readonly GrafanaPanel[]): Row[] {
  const rows: (Row & { panels: GrafanaPanel[] })[] = [];
  for (const panel of panels)
    if (panel.type === "row")
      rows.push({ title: panel.title, isOpen: panel["collapsed"] !== true, panels: [...(panel.panels ?? [])] });
    else rows.at(-1)?.panels.push(panel);
  return rows;
}

function rowOf({ title, panels }: Row, answered: AnsweredDashboard): Html {
  const top = Math.min(...panels.map(({ gridPos }) => gridPos.y));
  return html`<h2>${title}</h2>
    <div class="grid">${panels.map((panel) => panelOf(panel, top, answered))}</div>`;
}

function panelOf(panel: GrafanaPanel, top: number, { panels, shown, marks }: AnsweredDashboard): Html {
  const answered = panels.get(panel.id);
  if (answered === undefined) throw new Error(`the panel "${panel.title}" has no answers`);
  const { x, y, w, h } = panel.gridPos;
  const size = {
    width: Math.floor(w * (COLUMN + GAP) - GAP - 2 * PADDING - 2),
    height: h * (ROW + GAP) - GAP - 2 * PADDING - TITLE - 2,
  };
  const place = `grid-area:${y - top + 1}/${x + 1}/span ${h}/span ${w}`;
  return html`<section style="${place}">
    <h3>${panel.title}</h3>
    ${panelContent(answered, shown, marks, size)}
  </section>`;
}

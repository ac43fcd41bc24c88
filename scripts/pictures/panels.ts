import { paletteColor, sparkline, timeChart, type Size } from "./chart.ts";
import {
  colorOf,
  COLORS,
  mappingOf,
  reduced,
  thresholdColor,
  type AnsweredPanel,
  type Cell,
  type Mark,
  type PanelModel,
  type Series,
} from "./panel-model.ts";
import { formatValue } from "./units.ts";
import { Html, html } from "../../src/observability/page.ts";
import type { Shown } from "../../test/integration/support/grafana.ts";

type Draw = (answered: AnsweredPanel, shown: Shown, marks: readonly Mark[], size: Size) => Html;

/** Inside of a panel, which a sparkline covers. */
export const PADDING = 8;
/** Height of a row of a legend, in pixels. */
const LEGEND_ROW = 17;
const LEGEND_ROWS = 5;
/** Part of the height of a stat. */
const SPARK_SHARE = 0.4;

/** Kind of panel in Grafana -> what it is here. */
const KINDS: Readonly<Record<string, Draw>> = {
  timeseries: series,
  stat,
  table,
  "state-timeline": states,
};

/** Returns the content of a panel of this size. Throws if its kind, or a part of it, is not known. */
export function panelContent(...[answered, shown, marks, size]: Parameters<Draw>): Html {
  const { type, title } = answered.panel;
  const draw = KINDS[type];
  if (draw === undefined) throw new Error(`the panel "${title}" is of the kind ${type}, which is not known here`);
  return draw(answered, shown, marks, size);
}

const NO_DATA = html`<p class="empty">No data</p>`;

/** A chart, and below it a legend of the series with the highest averages. */
function series(answered: AnsweredPanel, shown: Shown, marks: readonly Mark[], size: Size): Html {
  const { panel, series } = answered;
  const { unit, decimals } = panel.fieldConfig.defaults;
  const calculations = panel.options.legend?.calcs ?? [];
  const [first = "mean"] = calculations;
  const rows = series
    .map((one, index) => ({ one, color: paletteColor(index), order: reduced(one, first) ?? Number.NEGATIVE_INFINITY }))
    .sort((a, b) => b.order - a.order);
  const listed = rows.length > LEGEND_ROWS ? rows.slice(0, LEGEND_ROWS - 1) : rows;
  const height = size.height - LEGEND_ROW * (Math.min(rows.length, LEGEND_ROWS) + 1);
  if (rows.length === 0) return NO_DATA;
  const cells = (one: Series): Html[] =>
    calculations.map((calculation) => {
      const value = reduced(one, calculation);
      return html`<td class="number">${value === undefined ? "" : formatValue(value, unit, decimals)}</td>`;
    });
  const more = rows.length - listed.length;
  return html`${new Html(timeChart(answered, shown, marks, { ...size, height }))}
    <table class="legend">
      <tr>
        <th></th>
        ${calculations.map((name) => html`<th>${CALCULATION_NAMES[name]}</th>`)}
      </tr>
      ${listed.map(
        ({ one, color }) =>
          html`<tr>
            <td class="name"><i style="background:${color}"></i>${one.name}</td>
            ${cells(one)}
          </tr>`,
      )}${
        more > 0
          ? html`<tr>
              <td class="more">and ${more} more</td>
            </tr>`
          : undefined
      }
    </table>`;
}

const CALCULATION_NAMES: Readonly<Record<string, string>> = { mean: "Mean", max: "Max", lastNotNull: "Last" };

/** A number or a word, and below it the line of its values. */
function stat({ panel, series: [one], rows }: AnsweredPanel, shown: Shown, _: readonly Mark[], size: Size): Html {
  const { defaults } = panel.fieldConfig;
  const { reduceOptions, graphMode } = panel.options;
  const word = rows.at(-1)?.["value"];
  if (typeof word === "string") return html`<p class="stat">${word}</p>`;
  const value = one && reduced(one, reduceOptions?.calcs[0] ?? "");
  if (one === undefined || value === undefined) return NO_DATA;
  const mapping = mappingOf(defaults, value);
  const color = mapping === undefined ? thresholdColor(defaults, value) : colorOf(mapping.color);
  const spark = { width: size.width + 2 * PADDING, height: Math.round(size.height * SPARK_SHARE) };
  return html`<p class="stat" style="color:${color}">
      ${mapping?.text ?? formatValue(value, defaults.unit, defaults.decimals)}
    </p>
    ${graphMode === "area" ? new Html(sparkline(one, color, shown, spark)) : undefined}`;
}

/** Rows with the columns that the panel names; a number has a bar, relative to the largest. */
function table({ panel, rows }: AnsweredPanel): Html {
  if (rows.length === 0) return NO_DATA;
  const { defaults } = panel.fieldConfig;
  const columns = columnsOf(panel).filter(({ column }) => rows.some((row) => row[column] != null));
  const numbers = rows.map(({ value }) => (typeof value === "number" ? value : 0));
  const largest = Math.max(...numbers);
  const sorted = [...rows].sort((a, b) => Number(b["value"]) - Number(a["value"]));
  const cell = (value: Cell | undefined): Html => {
    if (typeof value !== "number") return html`<td>${value ?? ""}</td>`;
    const width = largest > 0 ? Math.max(0, (100 * value) / largest).toFixed(1) : "0";
    return html`<td class="gauge">
      <span><i style="width:${width}%;background:${thresholdColor(defaults, value)}"></i></span
      ><b>${formatValue(value, defaults.unit, defaults.decimals)}</b>
    </td>`;
  };
  return html`<table class="rows">
    <tr>
      ${columns.map(({ title }) => html`<th>${title}</th>`)}
    </tr>
    ${sorted.map(
      (row) =>
        html`<tr>
          ${columns.map(({ column }) => cell(row[column]))}
        </tr>`,
    )}
  </table>`;
}

/** Returns the columns that have a title, in the order of the panel. */
function columnsOf({ fieldConfig: { overrides } }: PanelModel): { readonly column: string; readonly title: string }[] {
  return overrides.flatMap(({ matcher, properties }) => {
    const title = properties.find(({ id }) => id === "displayName")?.value;
    return matcher.id === "byName" && typeof title === "string" ? [{ column: matcher.options, title }] : [];
  });
}

/** A bar for each series, with a part for each time in which the state is the same. */
function states({ panel, series }: AnsweredPanel, { fromMs, toMs, intervalS }: Shown): Html {
  if (series.length === 0) return NO_DATA;
  const { defaults } = panel.fieldConfig;
  const percent = (ms: number): string => ((100 * ms) / (toMs - fromMs)).toFixed(2);
  const part = ({ beginMs, endMs, value }: Stretch): Html => {
    const mapping = mappingOf(defaults, value);
    const color = colorOf(mapping?.color ?? "text");
    const place = `left:${percent(beginMs - fromMs)}%;width:${percent(endMs - beginMs)}%;background:${color}`;
    return html`<span style="${place}">${mapping?.text ?? value}</span>`;
  };
  const ticks = [0, 1, 2, 3, 4].map((quarter) => fromMs + (quarter * (toMs + 1 - fromMs)) / 4);
  return html`<div class="states">
    ${series.map(
      ({ name, points }) =>
        html`<b>${name}</b>
          <div>${stretches(points, intervalS * 1000, toMs).map(part)}</div>`,
    )}<b></b>
    <div class="ticks">${ticks.map((ms) => html`<span>${new Date(ms).toISOString().slice(11, 16)}</span>`)}</div>
  </div>`;
}

interface Stretch {
  readonly beginMs: number;
  endMs: number;
  readonly value: number;
}

function stretches(points: Series["points"], bucketMs: number, toMs: number): Stretch[] {
  const found: Stretch[] = [];
  for (const [timeMs, value] of points) {
    const last = found.at(-1);
    if (value === null) continue;
    const endMs = Math.min(timeMs + bucketMs, toMs);
    if (last?.value === value && last.endMs >= timeMs) last.endMs = endMs;
    else found.push({ beginMs: timeMs, endMs, value });
  }
  return found;
}

/** The colours of annotations are those of the dashboards. */
export function markLegend(name: string, color: string): Html {
  return html`<span><i style="background:${COLORS[color]}"></i>${name}</span>`;
}

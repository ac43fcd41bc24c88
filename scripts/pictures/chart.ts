import { init } from "echarts";
import { colorOf, COLORS, type AnsweredPanel, type Mark, type Series } from "./panel-model.ts";
import { formatValue } from "./units.ts";
import type { Shown } from "../../test/integration/support/grafana.ts";

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Colours of the series of a chart, in this order. */
const PALETTE = [
  ...["#2f6fd0", "#e8700a", "#2f9e44", "#d6303e", "#8f3bb8", "#0d8f9b", "#b8860b", "#c2408f", "#5b6672", "#6b8e23"],
  ...["#1d4e89", "#a0522d"],
];
const FONT = "system-ui, sans-serif";
/** Short numbers below 1024. */
const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500];
const GRID = "#e4e8ed";

export function paletteColor(index: number): string {
  return PALETTE[index % PALETTE.length] ?? "";
}

/** Returns a chart with a line for each series, as SVG. */
export function timeChart({ panel, series }: AnsweredPanel, shown: Shown, marks: readonly Mark[], size: Size): string {
  const { unit, min, thresholds, custom, decimals } = panel.fieldConfig.defaults;
  const stacked = custom.stacking?.mode === "normal";
  const limits =
    custom.thresholdsStyle?.mode === "dashed" ? thresholds.steps.filter(({ value }) => value !== null) : [];
  return svg(size, {
    grid: { left: 8, right: 12, top: 12, bottom: 4, containLabel: true },
    xAxis: {
      type: "time",
      min: shown.fromMs,
      max: shown.toMs,
      splitNumber: 4,
      axisLine: { lineStyle: { color: GRID } },
      axisTick: { show: false },
      axisLabel: { color: COLORS["text"], fontFamily: FONT, fontSize: 11, formatter: "{HH}:{mm}", hideOverlap: true },
    },
    yAxis: {
      type: "value",
      ...(unit === "bytes" || unit === "binBps" ? binaryScale(series, stacked) : { splitNumber: 4 }),
      ...(min !== undefined && { min }),
      splitLine: { lineStyle: { color: GRID } },
      axisLabel: {
        color: COLORS["text"],
        fontFamily: FONT,
        fontSize: 11,
        formatter: (value: number) => formatValue(value, unit, decimals === 0 ? 0 : undefined),
      },
    },
    series: series.map(({ name, points }, index) => ({
      type: "line",
      name,
      data: connected({ name, points }, custom.spanNulls).map(([time, value]) => [time, value ?? "-"]),
      showSymbol: points.filter(([, value]) => value !== null).length === 1,
      symbolSize: 4,
      lineStyle: { width: 1.3 },
      color: paletteColor(index),
      ...(stacked && { stack: "all" }),
      areaStyle: { opacity: (custom.fillOpacity ?? 0) / 100 },
      ...(index === 0 && { markLine: markLine(marks, limits) }),
    })),
  });
}

/** Returns a small line without axes, as SVG. */
export function sparkline(series: Series, color: string, shown: Shown, size: Size): string {
  return svg(size, {
    grid: { left: 0, right: 0, top: 4, bottom: 0 },
    xAxis: { type: "time", show: false, min: shown.fromMs, max: shown.toMs },
    yAxis: { type: "value", show: false, min: 0 },
    series: [
      {
        type: "line",
        data: series.points.map(([time, value]) => [time, value ?? "-"]),
        showSymbol: false,
        lineStyle: { width: 1 },
        color,
        areaStyle: { opacity: 0.12 },
      },
    ],
  });
}

function markLine(
  marks: readonly Mark[],
  limits: readonly { readonly color: string; readonly value: number | null }[],
): object {
  const line = (color: string, type: string): object => ({ lineStyle: { color, type, width: 1, opacity: 0.8 } });
  return {
    silent: true,
    symbol: "none",
    label: { show: false },
    data: [
      ...marks.map(({ timeMs, color }) => ({ xAxis: timeMs, ...line(color, "dotted") })),
      ...limits.map(({ value, color }) => ({ yAxis: value, ...line(colorOf(color), "dashed") })),
    ],
  };
}

/** Returns a scale with about four lines, whose values are short in KiB, MiB and so on. */
function binaryScale(series: readonly Series[], stacked: boolean): object {
  const highest = series.map(({ points }) =>
    points.reduce((most, [, value]) => Math.max(most, Math.abs(value ?? 0)), 0),
  );
  const most = highest.reduce((high, one) => (stacked ? high + one : Math.max(high, one)), 0);
  const least = Math.max(1, most / 4);
  const unit = 1024 ** Math.floor(Math.log2(least) / 10);
  const interval = unit * (STEPS.find((step) => step * unit >= least) ?? 1024);
  return {
    interval,
    min: ({ min }: { readonly min: number }) => Math.floor(min / interval) * interval,
    max: ({ max }: { readonly max: number }) => Math.max(1, Math.ceil(max / interval)) * interval,
  };
}

/** Leaves out empty points in gaps that a line connects. */
function connected({ points }: Series, spanNulls: boolean | number | undefined): Series["points"] {
  if (spanNulls === undefined || spanNulls === false) return points;
  const longestMs = spanNulls === true ? Number.POSITIVE_INFINITY : spanNulls;
  const known = points.filter(([, value]) => value !== null);
  return known.flatMap((point, index) => {
    const next = known[index + 1];
    return next !== undefined && next[0] - point[0] > longestMs ? [point, [point[0] + 1, null] as const] : [point];
  });
}

/** Draws without a browser. */
function svg({ width, height }: Size, option: object): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, width, height });
  try {
    chart.setOption({ animation: false, useUTC: true, ...option });
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}

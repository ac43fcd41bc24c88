import type { GrafanaPanel } from "../../test/integration/support/grafana.ts";

/** The parts of Grafana's model of a panel that the renderer uses. */
export interface PanelModel extends GrafanaPanel {
  readonly description: string;
  readonly fieldConfig: {
    readonly defaults: FieldDefaults;
    readonly overrides: readonly {
      readonly matcher: { readonly id: string; readonly options: string };
      readonly properties: readonly { readonly id: string; readonly value: unknown }[];
    }[];
  };
  readonly options: {
    readonly reduceOptions?: { readonly calcs: readonly string[] };
    readonly legend?: { readonly calcs?: readonly string[] };
    readonly graphMode?: string;
  };
}

export interface FieldDefaults {
  readonly unit: string;
  readonly min?: number;
  readonly decimals?: number;
  readonly mappings?: readonly { readonly options: Readonly<Record<string, Mapping>> }[];
  readonly thresholds: { readonly steps: readonly Step[] };
  readonly custom: {
    readonly fillOpacity?: number;
    /** True, or the milliseconds of the longest gap that a line connects. */
    readonly spanNulls?: boolean | number;
    readonly stacking?: { readonly mode: string };
    readonly thresholdsStyle?: { readonly mode: string };
  };
}

/** The text and the colour of a value. */
export interface Mapping {
  readonly text: string;
  readonly color: string;
}

/** The lowest value of a colour; null for the first. */
interface Step {
  readonly color: string;
  readonly value: number | null;
}

/** A line of a chart: its name, and points with the time in milliseconds. A point without a value is null. */
export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [timeMs: number, value: number | null])[];
}

export type Cell = string | number | null;

/** A panel with the answers to its queries: series, or the rows of a table. */
export interface AnsweredPanel {
  readonly panel: PanelModel;
  readonly series: readonly Series[];
  readonly rows: readonly Readonly<Record<string, Cell>>[];
}

/** A vertical line in every chart. */
export interface Mark {
  readonly timeMs: number;
  readonly color: string;
}

/** How the numbers of a series become one. */
const CALCULATIONS: Readonly<Record<string, (values: readonly number[]) => number | undefined>> = {
  mean: (values) => (values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length),
  max: (values) => (values.length === 0 ? undefined : Math.max(...values)),
  lastNotNull: (values) => values.at(-1),
};

/** Returns one number for a series; undefined without a value. Throws if the calculation is not known. */
export function reduced({ points }: Series, calculation: string): number | undefined {
  const calculate = CALCULATIONS[calculation];
  if (calculate === undefined) throw new Error(`the calculation ${calculation} is not known here`);
  return calculate(points.flatMap(([, value]) => (value === null ? [] : [value])));
}

/** Grafana's colours by name, for a light background. */
export const COLORS: Readonly<Record<string, string>> = {
  green: "#2f9e44",
  yellow: "#e0a800",
  orange: "#e8700a",
  red: "#d6303e",
  blue: "#2f6fd0",
  purple: "#8f3bb8",
  text: "#5b6672",
};

export function colorOf(name: string): string {
  const color = COLORS[name];
  if (color === undefined) throw new Error(`the colour ${name} is not known here`);
  return color;
}

/** Returns the colour of a number by the thresholds of a panel. */
export function thresholdColor({ thresholds }: FieldDefaults, value: number | undefined): string {
  const step = thresholds.steps.findLast(({ value: from }) => from === null || (value !== undefined && value >= from));
  return colorOf(step?.color ?? "text");
}

/** Returns the text and the colour of a value that has a name; undefined for another one. */
export function mappingOf({ mappings = [] }: FieldDefaults, value: Cell): Mapping | undefined {
  return mappings.map(({ options }) => options[String(value)]).find((mapping) => mapping !== undefined);
}

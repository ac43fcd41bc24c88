import { Html } from "./page.ts";

const HEIGHT = 32;
/** Above and below the line, so that its width is not cut. */
const MARGIN = 2;

export interface SparklineOptions {
  /** What the values are, such as `CPU`. */
  readonly name: string;
  /** The picture is at least this high, so that the noise of an idle VM does not look like load. */
  readonly least: number;
  readonly format: (value: number) => string;
  readonly isWide?: boolean;
}

/**
 * Returns values as a small line from left to right; undefined without one. A NaN is a gap, and a value between two gaps is a
 * dot. The bottom is zero, the top the highest value. The title, which assistive technology reads, has the last and the highest value.
 * A page has hundreds of these, so the text is short and is put together without escaping: all of it is made here.
 */
export function sparkline(values: Float32Array | undefined, options: SparklineOptions): Html | undefined {
  if (values === undefined) return undefined;
  const { name, least, format, isWide = false } = options;
  const top = highest(values);
  if (top === undefined) return undefined;
  const last = values.at(-1) ?? Number.NaN;
  const now = Number.isNaN(last) ? "no value" : format(last);
  const size = `class="spark${isWide ? " wide" : ""}" viewBox="0 0 ${values.length - 1} ${HEIGHT}"`;
  const title = `${name}: ${now}, at most ${format(top)} in ${values.length} cycles`;
  const path = linePath(values, Math.max(top, least));
  return new Html(
    `<svg ${size} preserveAspectRatio="none" role="img"><title>${title}</title><path d="${path}"/></svg>`,
  );
}

/** Returns the highest value; undefined without one. */
export function highest(values: Float32Array): number | undefined {
  let most = -1;
  for (const value of values) if (value > most) most = value;
  return most < 0 ? undefined : most;
}

/** Returns the data of an SVG path: a line for each run of values. Numbers are relative, because these are short. */
function linePath(values: Float32Array, top: number): string {
  let path = "";
  let lastY: number | undefined;
  for (let x = 0; x < values.length; x++) {
    const value = values[x] ?? Number.NaN;
    if (Number.isNaN(value)) {
      lastY = undefined;
      continue;
    }
    const y = Math.round(HEIGHT - MARGIN - (value / top) * (HEIGHT - 2 * MARGIN));
    // A line without length is a dot, because its ends are round. The numbers of all other points belong to one `l`.
    if (lastY === undefined) path += `M${x} ${y}l0 0`;
    else path += ` 1 ${y - lastY}`;
    lastY = y;
  }
  return path;
}

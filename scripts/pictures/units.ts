type Format = (value: number, decimals: number | undefined) => string;

const BINARY = ["", "Ki", "Mi", "Gi", "Ti", "Pi"];
const DECIMAL = ["", " K", " Mil", " Bil"];

/** Unit of Grafana -> how a number is written. */
const UNITS: Readonly<Record<string, Format>> = {
  none: (value, decimals) => rounded(value, decimals),
  percent: (value, decimals) => `${rounded(value, decimals)}%`,
  percentunit: (value, decimals) => `${rounded(value * 100, decimals)}%`,
  bytes: (value, decimals) => scaled(value, 1024, BINARY, "B", decimals),
  binBps: (value, decimals) => scaled(value, 1024, BINARY, "B/s", decimals),
  pps: (value, decimals) => scaled(value, 1000, DECIMAL, " p/s", decimals),
  cps: (value, decimals) => scaled(value, 1000, DECIMAL, " c/s", decimals),
  iops: (value, decimals) => scaled(value, 1000, DECIMAL, " io/s", decimals),
  "suffix:cores": (value, decimals) => `${rounded(value, decimals)} cores`,
  µs: (value, decimals) => duration(value, decimals),
  s: (value, decimals) => duration(value * 1e6, decimals),
};

/** Writes a number in a unit of Grafana. Throws if the unit is not known. */
export function formatValue(value: number, unit: string, decimals?: number): string {
  const format = UNITS[unit];
  if (format === undefined) throw new Error(`the unit ${unit} is not known here`);
  return format(value, decimals);
}

/** Three digits, unless the number of decimals is given. */
function rounded(value: number, decimals?: number): string {
  if (decimals !== undefined) return value.toFixed(decimals);
  if (value === 0) return "0";
  const places = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return String(Number(value.toFixed(Math.min(places, 6))));
}

function scaled(value: number, base: number, prefixes: readonly string[], unit: string, decimals?: number): string {
  let [number, place] = [value, 0];
  while (Math.abs(number) >= base && place < prefixes.length - 1) [number, place] = [number / base, place + 1];
  const prefix = prefixes[place] ?? "";
  return `${rounded(number, decimals)}${unit.startsWith(" ") ? "" : " "}${prefix}${unit}`.replace("  ", " ");
}

const DURATIONS: readonly (readonly [us: number, unit: string])[] = [
  [86_400e6, "d"],
  [3_600e6, "h"],
  [60e6, "min"],
  [1e6, "s"],
  [1e3, "ms"],
];

function duration(us: number, decimals?: number): string {
  const [size, unit] = DURATIONS.find(([least]) => Math.abs(us) >= least) ?? [1, "µs"];
  return `${rounded(us / size, decimals)} ${us === 0 ? "s" : unit}`;
}

import type { Circumstances } from "./machine.ts";

export type Row = readonly (string | number)[];

/** A service level, and how to compute it from the figures. */
export interface ServiceLevel<Figures> {
  readonly what: string;
  readonly limit: number;
  /** Whether the limit is a minimum instead of a maximum. */
  readonly least?: boolean;
  readonly unit: string;
  readonly digits?: number;
  readonly value: (figures: Figures) => number;
}

export function table(head: Row, rows: readonly Row[]): string {
  const line = (cells: Row): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

export function levelTable<Figures>(levels: readonly ServiceLevel<Figures>[], figures: Figures): string {
  return table(
    ["level", "limit", "measured", ""],
    levels.map(({ what, limit, least = false, unit, digits = 2, value }) => {
      const measured = value(figures);
      const met = least ? measured >= limit : measured <= limit;
      return [
        what,
        `at ${least ? "least" : "most"} ${limit} ${unit}`,
        `${fixed(measured, digits)} ${unit}`,
        met ? "met" : "**not met**",
      ];
    }),
  );
}

/** Returns a list of when and where the figures of a part were measured. */
export function circumstances({ date, load: [before, after], machine }: Circumstances, part: string): string {
  const rows = Object.entries(machine).map(([name, text]) => `- ${name}: ${text}`);
  return `- measured on ${date} by \`npm run bench -- ${part}\`, load average ${fixed(before)} at the start and ${fixed(after)} at the end
${rows.join("\n")}`;
}

export function fixed(value: number, digits = 1): string {
  return value.toFixed(digits);
}

import type { DomainOverview } from "../collection/domain-overview.ts";
import { displayWidth, fit, printable } from "../lib/display-text.ts";
import { COLUMNS, type Column } from "./columns.ts";

const GAP = 2;
/** A name that is cut shorter than this does not say which domain it is. */
const LEAST_NAME = 16;
const NAME = "DOMAIN";

export interface Table {
  readonly header: string;
  readonly rows: readonly string[];
}

/** The table in so many columns of a terminal; Infinity for as many as it wants. */
export function domainTable(domains: readonly DomainOverview[], width: number): Table {
  const names = domains.map(({ label }) => printable(label));
  const wanted = Math.max(displayWidth(NAME), ...names.map(displayWidth));
  const columns = fitting(Math.max(0, width - Math.min(wanted, LEAST_NAME)));
  const nameWidth = Math.min(wanted, Math.max(width - widthOf(columns), 0));
  const line = (name: string, cells: readonly string[]): string =>
    fit([pad(name, nameWidth, "left"), ...cells].join(" ".repeat(GAP)).trimEnd(), width);
  return {
    header: line(
      NAME,
      columns.map(({ title, width: columnWidth, align }) => pad(title, columnWidth, align)),
    ),
    rows: domains.map((domain, index) =>
      line(
        names[index] ?? "",
        columns.map(({ cell, width: columnWidth, align }) => pad(cell(domain), columnWidth, align)),
      ),
    ),
  };
}

/** The columns for which there is room, in their order. */
function fitting(room: number): readonly Column[] {
  let columns = COLUMNS;
  while (columns.length > 0 && widthOf(columns) > room) {
    const least = Math.max(...columns.map(({ rank }) => rank));
    columns = columns.filter(({ rank }) => rank !== least);
  }
  return columns;
}

function widthOf(columns: readonly Column[]): number {
  return columns.reduce((sum, { width }) => sum + width + GAP, 0);
}

function pad(text: string, width: number, align: Column["align"]): string {
  const fitted = fit(text, width);
  const space = " ".repeat(Math.max(0, width - displayWidth(fitted)));
  return align === "left" ? fitted + space : space + fitted;
}

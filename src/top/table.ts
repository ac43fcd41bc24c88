import type { DomainOverview } from "../collection/domain-overview.ts";
import { displayWidth, fit, foreignText } from "../lib/display-text.ts";
import { columnsOf, type Column, type ShownFamily } from "./columns.ts";

const GAP = 2;
/** Names keep this width: a shorter one does not identify a VM. */
const MIN_NAME_WIDTH = 16;
const NAME = "VM";
/** Of a name of libvirt. Kubernetes allows 63 + 253 characters for the namespace and the name. */
const MAX_NAME = 400;

export interface Table {
  readonly header: string;
  readonly rows: readonly string[];
}

/** Returns the table for `width` characters of a terminal; Infinity for no limit. */
export function domainTable(
  domains: readonly DomainOverview[],
  width: number,
  families: readonly ShownFamily[] = [],
): Table {
  const names = domains.map(({ label }) => foreignText(label, MAX_NAME));
  const wanted = Math.max(displayWidth(NAME), ...names.map(displayWidth));
  const columns = columnsThatFit(columnsOf(families), Math.max(0, width - Math.min(wanted, MIN_NAME_WIDTH)));
  const nameWidth = Math.min(wanted, Math.max(width - widthWithGaps(columns), 0));
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

/** Returns the columns that fit into `room`, in their order. */
function columnsThatFit(wanted: readonly Column[], room: number): readonly Column[] {
  let columns = wanted;
  while (columns.length > 0 && widthWithGaps(columns) > room) {
    const highest = Math.max(...columns.map(({ rank }) => rank));
    columns = columns.filter(({ rank }) => rank !== highest);
  }
  return columns;
}

function widthWithGaps(columns: readonly Column[]): number {
  return columns.reduce((sum, { width }) => sum + width + GAP, 0);
}

function pad(text: string, width: number, align: Column["align"]): string {
  const fitted = fit(text, width);
  const space = " ".repeat(Math.max(0, width - displayWidth(fitted)));
  return align === "left" ? fitted + space : space + fitted;
}

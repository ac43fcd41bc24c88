import type { DomainOverview } from "../collection/domain-overview.ts";
import { stateName } from "../collection/domain-sample.ts";
import { formatBytes } from "../lib/quantity.ts";

export const SORT_KEYS = ["cpu", "memory", "disk", "network", "name"] as const;
export type SortKey = (typeof SORT_KEYS)[number];

export interface Column {
  readonly title: string;
  /** Fixed, because the columns of a live table must not move. */
  readonly width: number;
  readonly align: "left" | "right";
  /** Columns of the highest rank are hidden first in a narrow terminal. */
  readonly rank: number;
  readonly cell: (domain: DomainOverview) => string;
}

const UNKNOWN = "-";

/** All columns except the name, which gets the remaining width. */
export const COLUMNS: readonly Column[] = [
  {
    title: "STATE",
    width: 9,
    align: "left",
    rank: 2,
    cell: ({ sample, stuck }) => (stuck ? "stuck" : stateName(sample.state)),
  },
  { title: "VCPU", width: 4, align: "right", rank: 6, cell: ({ sample }) => String(sample.cpu.count ?? UNKNOWN) },
  { title: "CPU%", width: 6, align: "right", rank: 0, cell: ({ load }) => load?.cpuPercent?.toFixed(1) ?? UNKNOWN },
  bytesColumn("MEM", 1, ({ sample }) => bytesOfKib(sample.memory.current)),
  bytesColumn("RSS", 5, ({ sample }) => bytesOfKib(sample.memory.rss)),
  bytesColumn("READ/s", 4, ({ load }) => load?.diskReadBytes),
  bytesColumn("WRITE/s", 4, ({ load }) => load?.diskWriteBytes),
  countColumn("RIO/s", ({ load }) => load?.diskReads),
  countColumn("WIO/s", ({ load }) => load?.diskWrites),
  bytesColumn("RX/s", 3, ({ load }) => load?.netReceivedBytes),
  bytesColumn("TX/s", 3, ({ load }) => load?.netSentBytes),
];

/** Sort key -> value of a domain; undefined if unknown. */
const SORT_VALUES: Readonly<Record<Exclude<SortKey, "name">, (domain: DomainOverview) => number | undefined>> = {
  cpu: ({ load }) => load?.cpuPercent,
  memory: ({ sample }) => bytesOfKib(sample.memory.rss) ?? bytesOfKib(sample.memory.current),
  disk: ({ load }) => sum(load?.diskReadBytes, load?.diskWriteBytes),
  network: ({ load }) => sum(load?.netReceivedBytes, load?.netSentBytes),
};

/** Returns the domains with the greatest value first and unknown values last. Equal values are sorted by name. */
export function sortDomains(domains: readonly DomainOverview[], by: SortKey): readonly DomainOverview[] {
  const byName = domains.toSorted((a, b) => (a.label < b.label ? -1 : a.label > b.label ? 1 : 0));
  if (by === "name") return byName;
  const value = SORT_VALUES[by];
  return byName.sort((a, b) => (value(b) ?? -1) - (value(a) ?? -1));
}

function bytesColumn(title: string, rank: number, value: (domain: DomainOverview) => number | undefined): Column {
  const cell: Column["cell"] = (domain) => {
    const known = value(domain);
    return known === undefined ? UNKNOWN : compactBytes(known);
  };
  return { title, width: Math.max(5, title.length), align: "right", rank, cell };
}

function countColumn(title: string, value: (domain: DomainOverview) => number | undefined): Column {
  return { title, width: 5, align: "right", rank: 7, cell: (domain) => value(domain)?.toFixed(0) ?? UNKNOWN };
}

/** Returns `12.4M` for 12.4 MiB. */
function compactBytes(bytes: number): string {
  return formatBytes(bytes).replace(/ (?:B|([KMGTP])iB)$/, "$1");
}

function bytesOfKib(value: bigint | undefined): number | undefined {
  return value === undefined ? undefined : Number(value) * 1024;
}

function sum(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined && b === undefined ? undefined : (a ?? 0) + (b ?? 0);
}

import type { DomainDetails } from "../collection/domain-details.ts";
import type { DomainOverview } from "../collection/domain-overview.ts";
import { stateName } from "../collection/domain-sample.ts";
import { DISK_DETAILS } from "../collection/libvirt/disk-details.ts";
import { GUEST_MEMORY } from "../collection/libvirt/guest-memory.ts";
import { STATUS } from "../collection/libvirt/status.ts";
import { VCPUS } from "../collection/libvirt/vcpus.ts";
import { BALLOON, DEVICES, type StatsNeed } from "../collection/stats-needs.ts";
import { formatBytes } from "../lib/quantity.ts";

export const SORT_KEYS = ["cpu", "memory", "disk", "network", "name"] as const;
export type SortKey = (typeof SORT_KEYS)[number];

/** Families that are off by default and that the table can show -> what they need from libvirt. */
export const SHOWN_FAMILIES = {
  Status: [STATUS],
  Memory: [BALLOON, GUEST_MEMORY],
  Vcpus: [VCPUS],
  Disks: [DEVICES, DISK_DETAILS],
} as const satisfies Readonly<Record<string, readonly StatsNeed[]>>;
export type ShownFamily = keyof typeof SHOWN_FAMILIES;

export interface Column {
  readonly title: string;
  /** Fixed, because the columns of a live table must not move. */
  readonly width: number;
  readonly align: "left" | "right";
  /** Columns of the highest rank are hidden first in a narrow terminal. */
  readonly rank: number;
  readonly cell: (domain: DomainOverview) => string;
  /** The family that must be read for it. */
  readonly family?: ShownFamily;
}

const UNKNOWN = "-";

/** All columns except the name, which gets the remaining width. */
const COLUMNS: readonly Column[] = [
  {
    title: "STATE",
    width: 9,
    align: "left",
    rank: 2,
    cell: ({ sample, stuck }) => (stuck ? "stuck" : stateName(sample.state)),
  },
  {
    title: "WHY",
    width: 12,
    align: "left",
    rank: 2,
    family: "Status",
    cell: ({ details }) => details?.reason?.value ?? "",
  },
  { title: "VCPU", width: 4, align: "right", rank: 6, cell: ({ sample }) => String(sample.cpu.count ?? UNKNOWN) },
  { title: "CPU%", width: 6, align: "right", rank: 0, cell: ({ load }) => load?.cpuPercent?.toFixed(1) ?? UNKNOWN },
  percentColumn("STEAL%", "Vcpus", ({ stealPercent }) => stealPercent?.value),
  bytesColumn("MEM", 1, ({ sample }) => bytesOfKib(sample.memory.current)),
  bytesColumn("RSS", 5, ({ sample }) => bytesOfKib(sample.memory.rss)),
  percentColumn("USED%", "Memory", ({ usedPercent }) => usedPercent?.value),
  {
    title: "LAT ms",
    width: 6,
    align: "right",
    rank: 2,
    family: "Disks",
    cell: ({ details }) => {
      const us = details?.latencyUs?.value;
      return us === undefined ? UNKNOWN : (us / 1000).toFixed(2);
    },
  },
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

/** Returns the columns of a table that shows these families. */
export function columnsOf(families: readonly ShownFamily[]): readonly Column[] {
  return COLUMNS.filter(({ family }) => family === undefined || families.includes(family));
}

function percentColumn(
  title: string,
  family: ShownFamily,
  value: (details: DomainDetails) => number | undefined,
): Column {
  const cell: Column["cell"] = ({ details }) => (details && value(details))?.toFixed(1) ?? UNKNOWN;
  return { title, width: 6, align: "right", rank: 2, family, cell };
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

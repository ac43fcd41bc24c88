import type { DomainOverview } from "../collection/domain-overview.ts";
import { stateName } from "../collection/domain-state.ts";
import { formatBytes } from "../lib/quantity.ts";

export const SORT_KEYS = ["cpu", "memory", "disk", "network", "name"] as const;
export type SortKey = (typeof SORT_KEYS)[number];

export interface Column {
  readonly title: string;
  /** Of its values, whatever they are: a table that is drawn again and again must not jump. */
  readonly width: number;
  readonly align: "left" | "right";
  /** The higher, the sooner it gives way to a narrow terminal. */
  readonly rank: number;
  readonly cell: (domain: DomainOverview) => string;
}

const UNKNOWN = "-";

/** All but the name, which takes what is left. */
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
  bytes("MEM", 1, ({ sample }) => kib(sample.memory.current)),
  bytes("RSS", 5, ({ sample }) => kib(sample.memory.rss)),
  bytes("READ/s", 4, ({ load }) => load?.diskReadBytes),
  bytes("WRITE/s", 4, ({ load }) => load?.diskWriteBytes),
  count("RIO/s", ({ load }) => load?.diskReads),
  count("WIO/s", ({ load }) => load?.diskWrites),
  bytes("RX/s", 3, ({ load }) => load?.netReceivedBytes),
  bytes("TX/s", 3, ({ load }) => load?.netSentBytes),
];

/** By what a domain is judged; undefined: it is not known. */
const VALUES: Readonly<Record<Exclude<SortKey, "name">, (domain: DomainOverview) => number | undefined>> = {
  cpu: ({ load }) => load?.cpuPercent,
  memory: ({ sample }) => kib(sample.memory.rss) ?? kib(sample.memory.current),
  disk: ({ load }) => sum(load?.diskReadBytes, load?.diskWriteBytes),
  network: ({ load }) => sum(load?.netReceivedBytes, load?.netSentBytes),
};

/** The greatest first, names in their order; what is equal by name, and what is not known last. */
export function sorted(domains: readonly DomainOverview[], by: SortKey): readonly DomainOverview[] {
  const byName = domains.toSorted((a, b) => (a.label < b.label ? -1 : a.label > b.label ? 1 : 0));
  if (by === "name") return byName;
  const value = VALUES[by];
  return byName.sort((a, b) => (value(b) ?? -1) - (value(a) ?? -1));
}

function bytes(title: string, rank: number, value: (domain: DomainOverview) => number | undefined): Column {
  const cell: Column["cell"] = (domain) => {
    const known = value(domain);
    return known === undefined ? UNKNOWN : compactBytes(known);
  };
  return { title, width: Math.max(5, title.length), align: "right", rank, cell };
}

function count(title: string, value: (domain: DomainOverview) => number | undefined): Column {
  return { title, width: 5, align: "right", rank: 7, cell: (domain) => value(domain)?.toFixed(0) ?? UNKNOWN };
}

/** `12.4M` for 12.4 MiB. */
function compactBytes(bytes: number): string {
  return formatBytes(bytes).replace(/ (?:B|([KMGTP])iB)$/, "$1");
}

function kib(value: bigint | undefined): number | undefined {
  return value === undefined ? undefined : Number(value) * 1024;
}

function sum(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined && b === undefined ? undefined : (a ?? 0) + (b ?? 0);
}

import { formatSpan } from "../lib/quantity.ts";
import type { Html } from "./html.ts";
import { tableSection, type Column } from "./page.ts";
import type { WatchView } from "./watch-view.ts";

const COLUMNS: readonly Column<WatchView>[] = [
  { title: "Watch", cell: ({ resource }) => resource },
  { title: "Objects", kind: "number", cell: ({ objects }) => objects },
  { title: "Heard of", kind: "number", cell: ({ staleMs }) => heard(staleMs) },
  { title: "Lists", kind: "number", cell: ({ counters }) => counters.lists },
  { title: "Watches", kind: "number", cell: ({ counters }) => counters.watches },
  { title: "cut off", kind: "number", cell: ({ counters }) => counters.reconnects },
  { title: "Changes", kind: "number", cell: ({ counters }) => counters.events },
  { title: "missed", kind: "number", cell: ({ counters }) => counters.missedFoundByRelist },
];

/** Nothing without Kubernetes. */
export function watchSection(watches: readonly WatchView[]): readonly Html[] {
  return watches.length === 0 ? [] : [tableSection("Kubernetes", watches, COLUMNS, "")];
}

function heard(staleMs: number): string {
  return Number.isFinite(staleMs) ? `${formatSpan(staleMs)} ago` : "never";
}

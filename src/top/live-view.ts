import { fit } from "../lib/display-text.ts";
import { formatDuration } from "../lib/duration.ts";
import { ownValue } from "../lib/own-value.ts";
import { sortDomains, type ShownFamily, type SortKey } from "./columns.ts";
import type { NodeSnapshot } from "./node-watch.ts";
import { highlighted, Screen, type ScreenOptions } from "./screen.ts";
import { domainTable } from "./table.ts";

export interface LiveViewOptions extends Pick<ScreenOptions, "input" | "output"> {
  readonly sort: SortKey;
  readonly intervalMs: number;
  readonly families: readonly ShownFamily[];
}

interface Size {
  readonly columns: number;
  readonly rows: number;
}

const KEYS: Readonly<Record<string, SortKey>> = { c: "cpu", m: "memory", d: "disk", n: "network", a: "name" };
const HELP = "q quit   sort by: c CPU  m memory  d disk  n network  a name";
const CTRL_C = "\x03";
const MAX_FAULTS = 3;

/** The table on the whole terminal. New data, a key and a resize redraw it. */
export class LiveView implements Disposable {
  readonly #screen: Screen;
  readonly #intervalMs: number;
  readonly #families: readonly ShownFamily[];
  readonly #quit = new AbortController();
  #snapshot: NodeSnapshot;
  #sort: SortKey;

  constructor({ sort, intervalMs, families, ...terminal }: LiveViewOptions, first: NodeSnapshot) {
    this.#snapshot = first;
    this.#sort = sort;
    this.#intervalMs = intervalMs;
    this.#families = families;
    this.#screen = new Screen({
      ...terminal,
      key: (key) => {
        this.#pressed(key);
      },
      resized: () => {
        this.#draw();
      },
    });
    this.#draw();
  }

  /** Aborts when the user presses q or Ctrl-C. */
  get quit(): AbortSignal {
    return this.#quit.signal;
  }

  update(snapshot: NodeSnapshot): void {
    this.#snapshot = snapshot;
    this.#draw();
  }

  [Symbol.dispose](): void {
    this.#screen[Symbol.dispose]();
  }

  #pressed(key: string): void {
    if (key === "q" || key.includes(CTRL_C)) this.#quit.abort();
    this.#sort = ownValue(KEYS, key) ?? this.#sort;
    this.#draw();
  }

  #draw(): void {
    this.#screen.draw(screenLines(this.#snapshot, this.#sort, this.#intervalMs, this.#screen.size, this.#families));
  }
}

/** Returns the lines for a terminal of this size. */
export function screenLines(
  { domains, endpoints, faults }: NodeSnapshot,
  sort: SortKey,
  intervalMs: number,
  { columns, rows }: Size,
  families: readonly ShownFamily[] = [],
): readonly string[] {
  const table = domainTable(sortDomains(domains, sort), columns, families);
  const busy = domains.reduce((sum, { load }) => sum + (load?.cpuPercent ?? 0), 0);
  const daemons = endpoints === 1 ? "1 libvirt daemon" : `${endpoints} libvirt daemons`;
  const summary = [
    `${domains.length} VMs of ${daemons}`,
    `CPU ${busy.toFixed(1)}%`,
    `every ${formatDuration(intervalMs)}`,
    `by ${sort}`,
  ].join("   ");
  const faultLines = faults.slice(0, MAX_FAULTS).map((fault) => `! ${fault}`);
  if (faults.length > MAX_FAULTS) faultLines.push(`! and ${faults.length - MAX_FAULTS} more`);
  const head = [summary, ...faultLines, ""].map((line) => fit(line, columns));
  // One line for the header of the table, one for the help.
  const room = Math.max(0, rows - head.length - 2);
  const shown = table.rows.slice(0, room);
  const more = table.rows.length - shown.length;
  const help = more > 0 ? `${HELP}   (${more} more VMs)` : HELP;
  const filler = Array.from({ length: room - shown.length }, () => "");
  return [...head, highlighted(table.header, columns), ...shown, ...filler, fit(help, columns)];
}

import type { ReadStream, WriteStream } from "node:tty";
import { Ticker } from "../collection/ticker.ts";
import { isAborted } from "../lib/abort.ts";
import type { Clock } from "../lib/clock.ts";
import type { EndpointPlaces } from "../node/endpoints.ts";
import { sortDomains, type ShownFamily, type SortKey } from "./columns.ts";
import { LiveView } from "./live-view.ts";
import { NodeWatch, type NodeSnapshot } from "./node-watch.ts";
import { domainTable } from "./table.ts";

export interface TopOptions extends EndpointPlaces {
  readonly sort: SortKey;
  readonly intervalMs: number;
  /** Families that are off by default and that the table shows, too. */
  readonly families: readonly ShownFamily[];
  /** Prints one table, with the load during one interval. */
  readonly once: boolean;
  readonly output: WriteStream;
  /** Source of the keys. */
  readonly input: ReadStream;
  /** Is called with each fault of a printed table. A live table shows its faults itself. */
  readonly reportFault: (line: string) => void;
  /** Columns of a printed table; Infinity for no limit. */
  readonly width: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Shows the node's VMs, once or until the user or the signal ends it. Resolves to false if `once` is set and the table
 * is incomplete.
 * @throws {TelemetryError} if the libvirt daemons of the node cannot be found at the start
 */
export async function runTop(options: TopOptions): Promise<boolean> {
  using watch = new NodeWatch(options, options.intervalMs, options.clock, options.families);
  // Before the first output, so that an error at the start is printed as an error, not inside the screen.
  const first = await watch.collect();
  if (options.once) return await printOnce(watch, options);
  if (options.output.isTTY) await showLive(watch, first, options);
  else await printRepeatedly(watch, options);
  return true;
}

async function printOnce(watch: NodeWatch, options: TopOptions): Promise<boolean> {
  await options.clock.sleep(options.intervalMs, options.signal);
  if (options.signal.aborted) return false;
  const snapshot = await watch.collectOrFault();
  for (const text of snapshot.missing) options.reportFault(text);
  print(snapshot, options);
  return snapshot.complete;
}

/** Prints one table after the other, for a file or another program. */
async function printRepeatedly(watch: NodeWatch, options: TopOptions): Promise<void> {
  await eachInterval(watch, options, options.signal, (snapshot) => {
    options.output.write(`${new Date(options.clock.now()).toISOString()}\n`);
    print(snapshot, options);
    options.output.write("\n");
  });
}

async function showLive(watch: NodeWatch, first: NodeSnapshot, options: TopOptions): Promise<void> {
  using view = new LiveView(options, first);
  await eachInterval(watch, options, AbortSignal.any([options.signal, view.quit]), (snapshot) => {
    view.update(snapshot);
  });
}

async function eachInterval(
  watch: NodeWatch,
  { intervalMs, clock }: TopOptions,
  signal: AbortSignal,
  show: (snapshot: NodeSnapshot) => void,
): Promise<void> {
  const ticker = new Ticker(intervalMs, clock);
  // The first tick is due at once, before there is a load to show.
  await ticker.next(signal);
  for (;;) {
    await ticker.next(signal);
    if (isAborted(signal)) return;
    show(await watch.collectOrFault());
  }
}

function print({ domains, faults }: NodeSnapshot, { output, sort, width, families, reportFault }: TopOptions): void {
  for (const fault of faults) reportFault(fault);
  const { header, rows } = domainTable(sortDomains(domains, sort), width, families);
  output.write([header, ...rows, ""].join("\n"));
}

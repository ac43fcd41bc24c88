import type { ReadStream, WriteStream } from "node:tty";
import { Ticker } from "../collection/ticker.ts";
import { isAborted } from "../lib/abort.ts";
import type { Clock } from "../lib/clock.ts";
import { printable } from "../lib/display-text.ts";
import { sorted, type SortKey } from "./columns.ts";
import { LiveView } from "./live-view.ts";
import { NodeWatch, type NodePicture, type NodePlaces } from "./node-watch.ts";
import { domainTable } from "./table.ts";

export interface TopOptions extends NodePlaces {
  readonly sort: SortKey;
  readonly intervalMs: number;
  /** One table, of the load during one interval. */
  readonly once: boolean;
  readonly output: WriteStream;
  /** Where keys come from. */
  readonly input: ReadStream;
  /** Says what could not be collected where there is no screen to say it on. */
  readonly complain: (line: string) => void;
  /** Columns of what is printed; Infinity for as many as it wants. */
  readonly width: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Shows the node's domains until it is told to end. Resolves to whether everything could be collected, of which only
 * `once` makes a matter.
 * @throws {TelemetryError} when it cannot be said from the start which libvirt daemons there are
 */
export async function runTop(options: TopOptions): Promise<boolean> {
  using watch = new NodeWatch(options, options.intervalMs, options.clock);
  // Before anything is shown: what is wrong from the start is said where errors are said.
  const first = await watch.look();
  if (options.once) return await printOnce(watch, options);
  if (options.output.isTTY) await showLive(watch, first, options);
  else await printAgain(watch, options);
  return true;
}

async function printOnce(watch: NodeWatch, options: TopOptions): Promise<boolean> {
  await options.clock.sleep(options.intervalMs, options.signal);
  if (options.signal.aborted) return false;
  const picture = await watch.lookOn();
  print(picture, options);
  return picture.faults.length === 0;
}

/** For a file or another program: one table after the other. */
async function printAgain(watch: NodeWatch, options: TopOptions): Promise<void> {
  await eachInterval(watch, options, options.signal, (picture) => {
    options.output.write(`${new Date(options.clock.now()).toISOString()}\n`);
    print(picture, options);
    options.output.write("\n");
  });
}

async function showLive(watch: NodeWatch, first: NodePicture, options: TopOptions): Promise<void> {
  using view = new LiveView(options, first);
  await eachInterval(watch, options, AbortSignal.any([options.signal, view.quit]), (picture) => {
    view.show(picture);
  });
}

async function eachInterval(
  watch: NodeWatch,
  { intervalMs, clock }: TopOptions,
  signal: AbortSignal,
  show: (picture: NodePicture) => void,
): Promise<void> {
  const ticker = new Ticker(intervalMs, clock);
  // The first tick is due at once, and there is no load to show yet.
  await ticker.next(signal);
  for (;;) {
    await ticker.next(signal);
    if (isAborted(signal)) return;
    show(await watch.lookOn());
  }
}

function print({ domains, faults }: NodePicture, { output, sort, width, complain }: TopOptions): void {
  for (const fault of faults) complain(printable(fault));
  const { header, rows } = domainTable(sorted(domains, sort), width);
  output.write([header, ...rows, ""].join("\n"));
}

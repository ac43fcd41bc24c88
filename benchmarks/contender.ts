import { setTimeout } from "node:timers/promises";
import { Sink } from "../scripts/demo/sink.ts";
import { FIRST_DOMAIN } from "./node.ts";

const ANSWER_MS = 200;

/** Interval of programs with their own timer: the agent's default. */
export const INTERVAL = "5s";

/** A program that reads all domains of the node and delivers what it read to an InfluxDB, cycle after cycle. */
export interface Contender extends AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  /** Cycles of a round, if they are not those of the other programs. */
  readonly cycles?: number;
  /** Its target. */
  readonly deliveries: Deliveries;
  /** Lets it run until `during` is done, then pauses it. */
  work(during: () => Promise<void>): Promise<void>;
}

/** A fake InfluxDB that only counts. */
export class Deliveries implements AsyncDisposable {
  readonly #marker: RegExp;
  readonly #resources = new AsyncDisposableStack();
  #url = "";
  #cycles = 0;
  #lines = 0;
  #fields = 0;
  #arrived = Promise.withResolvers<undefined>();

  /** `marker` is a measurement with one line of the first domain in every cycle. */
  private constructor(marker: string) {
    this.#marker = new RegExp(`^${marker},.*\\b${FIRST_DOMAIN}\\b`);
  }

  static async start(marker: string): Promise<Deliveries> {
    const deliveries = new Deliveries(marker);
    const sink = await Sink.startUnparsed((lines) => {
      deliveries.#count(lines);
    });
    deliveries.#resources.use(sink);
    deliveries.#url = sink.url;
    return deliveries;
  }

  get url(): string {
    return this.#url;
  }

  get totals(): { readonly cycles: number; readonly lines: number; readonly fields: number } {
    return { cycles: this.#cycles, lines: this.#lines, fields: this.#fields };
  }

  /** Resolves when the lines of this number of further cycles have arrived. */
  async next(cycles: number): Promise<void> {
    const wanted = this.#cycles + cycles;
    while (this.#cycles < wanted) await this.#arrived.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }

  #count(text: string): void {
    for (const line of text.trimEnd().split("\n")) {
      this.#lines++;
      // No program here writes a space or a comma in a name or a value, except "no state".
      this.#fields += line.slice(line.indexOf(" ")).split(",").length;
      if (this.#marker.test(line)) this.#cycles++;
    }
    this.#arrived.resolve(undefined);
    this.#arrived = Promise.withResolvers();
  }
}

/** Pauses a process with its own timer, so that all programs are started and warm, but only one runs. */
export async function workBySignals(pid: number, during: () => Promise<void>): Promise<void> {
  process.kill(pid, "SIGCONT");
  try {
    await during();
    // The answer to its last delivery is still on the way.
    await setTimeout(ANSWER_MS);
  } finally {
    process.kill(pid, "SIGSTOP");
  }
}

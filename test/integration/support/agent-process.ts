import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { end, until } from "./process.ts";

export type LogEntry = Readonly<Record<string, unknown>> & { readonly level: string; readonly msg: string };

/** How the bundled agent is called, from the root of the project; at debug level the ends of its cycles are in the log. */
export const AGENT_COMMAND: readonly string[] = ["node", "dist/kubevirt-telemetry.js", "agent", "--log-level", "debug"];

/** Several run at the same time, and two cannot have one port. */
export const SERVE_NOTHING = { KUBEVIRT_TELEMETRY_LISTEN: "off" };

/** The bundled program in a process of its own, and what it logs. Its error output goes to the test's as well. */
export class AgentProcess implements AsyncDisposable {
  readonly log: LogEntry[] = [];
  /** All that it wrote, for what must not be in it. */
  output = "";
  readonly #child: ChildProcess;
  readonly #exited: Promise<number | null>;

  protected constructor(child: ChildProcess) {
    this.#child = child;
    this.#exited = new Promise<number | null>((resolve) => child.once("close", resolve));
    if (child.stdout === null || child.stderr === null) throw new Error("its output is not to be had");
    createInterface({ input: child.stdout }).on("line", (line) => {
      this.output += `${line}\n`;
      this.log.push(JSON.parse(line) as LogEntry);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.output += text;
      process.stderr.write(text);
    });
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error("it did not start");
    return this.#child.pid;
  }

  /** Waits until it has ended by itself; resolves to its exit code. */
  exit(): Promise<number | null> {
    return this.#exited;
  }

  /** Asks it to end, and resolves to its exit code. */
  async stop(): Promise<number | null> {
    this.#child.kill("SIGTERM");
    return this.#exited;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves to the first entry that fits, now or later, of those from number `since` on. */
  logged(fits: (entry: LogEntry) => boolean, what: string, since = 0): Promise<LogEntry> {
    return until(() => Promise.resolve(this.log.slice(since).find(fits)), `the log to say ${what}`);
  }

  /** The ends of cycles that it has logged. */
  get cycles(): readonly LogEntry[] {
    return this.log.filter(({ msg }) => msg === "cycle");
  }

  /** Lets that many cycles end from now on. */
  async run(cycles: number): Promise<void> {
    const goal = this.cycles.length + cycles;
    await until(() => Promise.resolve(this.cycles.length >= goal || undefined), `${cycles} cycles of the agent`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#child);
  }
}

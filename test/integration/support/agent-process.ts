import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { end, until } from "./process.ts";

export type LogEntry = Readonly<Record<string, unknown>> & { readonly level: string; readonly msg: string };

/** The command of the bundled agent, from the root of the project. The log of level debug has the ends of cycles. */
export const AGENT_COMMAND: readonly string[] = ["node", "dist/kubevirt-telemetry.js", "agent", "--log-level", "debug"];

/** Without a port, because several agents run at the same time. */
export const SERVE_NOTHING = { KUBEVIRT_TELEMETRY_LISTEN: "off" };

/** The bundled program in its own process, and its log. Its error output is also the test's. */
export class AgentProcess implements AsyncDisposable {
  readonly log: LogEntry[] = [];
  /** Its whole output, to check what it must not contain. */
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

  /** Waits until it ends; resolves to its exit code. */
  exit(): Promise<number | null> {
    return this.#exited;
  }

  /** Sends SIGTERM; resolves to its exit code. */
  async stop(): Promise<number | null> {
    this.#child.kill("SIGTERM");
    return this.#exited;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves to the address of its port, `127.0.0.1:9090` for example. */
  async address(): Promise<string> {
    const { address } = await this.logged(({ msg }) => msg.startsWith("serving"), "where it serves");
    if (typeof address !== "string") throw new TypeError("the log entry has no address");
    return address;
  }

  /** Resolves to the first matching entry from number `since` on, now or later. */
  logged(fits: (entry: LogEntry) => boolean, what: string, since = 0): Promise<LogEntry> {
    return until(() => Promise.resolve(this.log.slice(since).find(fits)), `the log to say ${what}`);
  }

  /** Number of logged ends of cycles. */
  get cycles(): readonly LogEntry[] {
    return this.log.filter(({ msg }) => msg === "cycle");
  }

  /** Waits for this number of ends of cycles. */
  async run(cycles: number): Promise<void> {
    const goal = this.cycles.length + cycles;
    await until(() => Promise.resolve(this.cycles.length >= goal || undefined), `${cycles} cycles of the agent`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#child);
  }
}

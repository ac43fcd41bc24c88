import { spawn, type ChildProcess } from "node:child_process";
import path from "node:path";
import { createInterface } from "node:readline";
import { until } from "./process.ts";

const SCRIPT = path.join(import.meta.dirname, "terminal.py");

/** A command on its own terminal, with its output and a keyboard. Needs Python, which is provisioned. */
export class Terminal implements AsyncDisposable {
  /** The whole output. */
  output = "";
  readonly #messages: string[] = [];
  readonly #child: ChildProcess;
  readonly #gone: Promise<unknown>;

  constructor(command: readonly string[], { columns, rows }: { readonly columns: number; readonly rows: number }) {
    const size = [String(columns), String(rows)];
    this.#child = spawn("python3", [SCRIPT, ...size, ...command], { env: { ...process.env, TERM: "xterm" } });
    this.#gone = new Promise((resolve) => this.#child.once("close", resolve));
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.output += text;
    });
    if (this.#child.stderr !== null)
      createInterface({ input: this.#child.stderr }).on("line", (line) => this.#messages.push(line));
  }

  /** The lines of the last complete picture on the screen. */
  get screen(): readonly string[] {
    const pictures = this.output.split("\x1b[H").slice(1);
    const whole = pictures.findLast((picture) => picture.includes("\x1b[J")) ?? "";
    return whole
      .slice(0, whole.indexOf("\x1b[J"))
      .split(/\r*\n/)
      .map((line) => line.replaceAll(/\x1b\[[0-9;?]*[A-Za-z]/g, ""));
  }

  resize(columns: number, rows: number): void {
    this.#steer(`size ${columns} ${rows}`);
  }

  press(keys: string): void {
    this.#steer(`send ${Buffer.from(keys).toString("hex")}`);
  }

  /** Waits until the condition holds. */
  async shows(holds: () => boolean, what: string): Promise<void> {
    await until(() => Promise.resolve(holds() || undefined), `${what} on the terminal`);
  }

  /** Whether the terminal passes on lines, as for a shell, or keys. */
  async mode(): Promise<string | undefined> {
    const known = this.#messages.length;
    this.#steer("stty");
    await until(() => Promise.resolve(this.#messages[known]), "the mode of the terminal");
    return this.#last("stty");
  }

  /** Waits for the end of the command; resolves to its exit code and the terminal's mode. */
  async end(): Promise<{ readonly exit: string | undefined; readonly mode: string | undefined }> {
    const exit = await until(() => Promise.resolve(this.#last("exit")), "the end of the command");
    return { exit, mode: this.#last("stty") };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The command ends with the process of its terminal.
    this.#child.stdin?.end();
    await this.#gone;
  }

  #steer(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** Returns the last message with this word. */
  #last(word: string): string | undefined {
    return this.#messages.findLast((line) => line.startsWith(`${word} `))?.slice(word.length + 1);
  }
}

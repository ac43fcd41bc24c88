import type { ReadStream, WriteStream } from "node:tty";

const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
const TO_END_OF_LINE = "\x1b[K";
const TO_END_OF_SCREEN = "\x1b[J";
const DEFAULT_SIZE = { columns: 80, rows: 24 };

export interface ScreenOptions {
  readonly output: WriteStream;
  /** Source of the keys; ignored if it is not a terminal. */
  readonly input: ReadStream;
  readonly key: (key: string) => void;
  readonly resized: () => void;
}

/** Uses the whole terminal until it is disposed, which restores the previous content. */
export class Screen implements Disposable {
  readonly #options: ScreenOptions;
  readonly #onData = (data: Buffer): void => {
    this.#options.key(data.toString("utf8"));
  };

  constructor(options: ScreenOptions) {
    this.#options = options;
    const { input, output, resized } = options;
    output.write(ENTER);
    output.on("resize", resized);
    if (!input.isTTY) return;
    input.setRawMode(true);
    input.on("data", this.#onData);
    input.resume();
  }

  get size(): { readonly columns: number; readonly rows: number } {
    const { columns, rows } = this.#options.output;
    // A terminal of unknown size reports 0.
    return { columns: columns || DEFAULT_SIZE.columns, rows: rows || DEFAULT_SIZE.rows };
  }

  /** Replaces the content in one write, without clearing first, because that flickers. */
  draw(lines: readonly string[]): void {
    const text = lines.slice(0, this.size.rows).map((line) => line + TO_END_OF_LINE);
    this.#options.output.write(HOME + text.join("\r\n") + TO_END_OF_SCREEN);
  }

  [Symbol.dispose](): void {
    const { input, output, resized } = this.#options;
    output.off("resize", resized);
    output.write(LEAVE);
    if (!input.isTTY) return;
    input.off("data", this.#onData);
    input.setRawMode(false);
    input.pause();
  }
}

/** Returns the text in reverse video, over the whole width. */
export function highlighted(text: string, columns: number): string {
  return `\x1b[7m${text.padEnd(columns)}\x1b[0m`;
}

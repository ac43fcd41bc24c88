import type { WriteStream } from "node:tty";
import { pino, destination, type LogFn, type Logger } from "pino";
import { systemClock, type Clock } from "./lib/clock.ts";
import { foreignText } from "./lib/display-text.ts";
import { LineBudget } from "./lib/line-budget.ts";

export type { Logger };

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export const LOG_FORMATS = ["json", "text"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** Standard output, or the stream of a test, which has no file descriptor. */
export type LogStream = WriteStream & { readonly fd?: number };

/** Keys that may contain a secret. Their values are redacted, in case an object with one is ever logged. */
const REDACTED = ["token", "password", "authorization", "headers.authorization"].flatMap((key) => [key, `*.${key}`]);

/**
 * Lines of the whole process in a minute, and those of one code. A failure that many launchers have at once, or that a launcher
 * causes on purpose, must not hide other lines. The first line of each code in a minute is always written. With these lines, the
 * log has about 60 lines a minute. `debug` has no limit, and neither have lines that only an administrator causes.
 */
const LIMITS = { perMinute: 40, perGroup: 20 };
const LEFT_OUT_MS = 60_000;

/** Pino's number of this level. */
const INFO = 30;

/** Bounds of a line. */
const MAX_TEXT = 2_000;
const MAX_ITEMS = 100;
const MAX_DEPTH = 4;
const MAX_FRAMES = 50;

export interface LogOptions {
  readonly level: LogLevel;
  /** Without it the format is `text` on a terminal and `json` elsewhere. */
  readonly format?: LogFormat | undefined;
}

/**
 * Resolves to the root logger. It writes one line for each entry: JSON, or readable text, which has colors on a terminal. Only the
 * stack of an error has lines of its own in a text. Writes are synchronous, so that a crash loses no line. Every line is printable,
 * and their number in a minute is limited.
 */
export async function createLogger(
  { level, format }: LogOptions,
  stream: LogStream,
  clock: Clock = systemClock,
): Promise<Logger> {
  const options = {
    level,
    base: null,
    redact: { paths: REDACTED, censor: "[redacted]" },
    // The hook below has already replaced errors by plain fields.
    serializers: { err: (fields: unknown) => fields },
    hooks: { logMethod: limitedLines(new LineBudget({ ...LIMITS, clock })) },
  };
  if ((format ?? (stream.isTTY ? "text" : "json")) === "json") {
    return pino(
      {
        ...options,
        timestamp: () => `,"time":"${new Date().toISOString()}"`,
        formatters: { level: (label) => ({ level: label }) },
      },
      stream.fd === undefined ? stream : destination({ fd: stream.fd, sync: true }),
    );
  }
  const { default: pretty } = await import("pino-pretty");
  const colors = stream.isTTY ? {} : { colorize: false };
  const appearance = { ...colors, singleLine: true, translateTime: "HH:MM:ss" };
  return pino(options, pretty({ destination: stream, sync: true, ignore: "pid,hostname", ...appearance }));
}

type LogArguments = Parameters<LogFn>;

/** Returns a hook that writes the lines that the budget allows, and once a minute how many it did not allow. */
function limitedLines(budget: LineBudget) {
  let reporting: NodeJS.Timeout | undefined;
  return function write(this: Logger, [first, second]: LogArguments, method: LogFn, level: number): void {
    const [fields, message] = typeof first === "string" ? [{}, first] : [first as object, second ?? ""];
    if (level < INFO || !hasForeignCause(fields) || budget.allows(groupOf(fields, message))) {
      method.call(this, clean(fields), foreignText(message, MAX_TEXT));
      return;
    }
    // The timer does not keep the process alive.
    reporting ??= setTimeout(() => {
      reporting = undefined;
      const groups = budget.takeLeftOut();
      const lines = [...groups.values()].reduce((sum, count) => sum + count, 0);
      // This line has the level of the first line that was left out. The budget does not count it.
      const leftOut = clean(Object.fromEntries(groups));
      method.call(this, { leftOut }, `${lines} log lines were left out: too many in a minute`);
    }, LEFT_OUT_MS).unref();
  };
}

/** Fields of lines that a launcher, a target or the API server can cause as often as it wants. */
const FOREIGN_CAUSES = ["code", "reason", "endpoint", "domain", "podUid", "pods", "vm", "target"];

/** Other lines, such as those of a change of configuration, are few, and an administrator waits for them. */
function hasForeignCause(fields: object): boolean {
  return FOREIGN_CAUSES.some((field) => field in fields);
}

/** Returns the code of a line, its reason, or the beginning of its message, which is this program's own text. */
function groupOf({ code, reason }: { readonly code?: unknown; readonly reason?: unknown }, message: string): string {
  if (typeof code === "string") return code;
  return typeof reason === "string" ? reason : (message.split(":", 1)[0] ?? "");
}

/** Returns a value whose texts are printable, because fields may have names of launchers, and whose size is bounded. */
function clean(value: unknown, depth = 0): unknown {
  if (typeof value === "string") return foreignText(value, MAX_TEXT);
  if (typeof value !== "object" || value === null) return value;
  if (depth === MAX_DEPTH) return "…";
  if (value instanceof Error) return errorFields(value, depth);
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => clean(item, depth + 1));
  const entries = Object.entries(value).slice(0, MAX_ITEMS);
  return Object.fromEntries(entries.map(([key, item]) => [foreignText(key, MAX_TEXT), clean(item, depth + 1)]));
}

/** Returns the fields of an error. The stack has the message in its first line, and otherwise only places in the code. */
function errorFields(error: Error, depth: number): object {
  const message = foreignText(error.message, MAX_TEXT);
  const frames = (error.stack ?? "").split("\n").filter((line) => line.startsWith("    at "));
  const places = frames.slice(0, MAX_FRAMES).map((line) => `    ${foreignText(line, MAX_TEXT)}`);
  return {
    type: error.name,
    message,
    stack: [`${error.name}: ${message}`, ...places].join("\n"),
    ...(error.cause instanceof Error && { cause: clean(error.cause, depth + 1) }),
  };
}

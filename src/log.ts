import type { WriteStream } from "node:tty";
import { pino, destination, type Logger } from "pino";

export type { Logger };

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Standard output, or the stream of a test, which has no file descriptor. */
export type LogStream = WriteStream & { readonly fd?: number };

/** Keys that may contain a secret. Their values are redacted, in case an object with one is ever logged. */
const REDACTED = ["token", "password", "authorization", "headers.authorization"].flatMap((key) => [key, `*.${key}`]);

/**
 * Resolves to the root logger. It writes JSON lines, or readable text to a terminal. Writes are synchronous, so that a crash
 * loses no line.
 */
export async function createLogger(level: LogLevel, stream: LogStream): Promise<Logger> {
  const options = { level, base: null, redact: { paths: REDACTED, censor: "[redacted]" } };
  if (!stream.isTTY) {
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
  return pino(options, pretty({ destination: stream, sync: true, translateTime: "HH:MM:ss", ignore: "pid,hostname" }));
}

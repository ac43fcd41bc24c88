import type { ReadStream, WriteStream } from "node:tty";
import type { LogStream } from "../log.ts";

/** Where a command writes, and where `top` reads keys: the streams of the process, or those of a test. */
export interface StandardStreams {
  readonly stdin: ReadStream;
  readonly stdout: LogStream;
  readonly stderr: WriteStream;
}

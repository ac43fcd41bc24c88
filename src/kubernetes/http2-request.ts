import { constants, type ClientHttp2Session, type ClientHttp2Stream, type OutgoingHttpHeaders } from "node:http2";
import { KubeError, toKubeError } from "./kube-error.ts";

/** An answer. Its head has arrived, and its body is still in the stream. */
export interface StreamedAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly stream: ClientHttp2Stream;
}

/** The server did not process the request, because it shuts down or is overloaded. It is safe to send it again. */
export const UNPROCESSED = Symbol("unprocessed");

/**
 * Sends one request and resolves when the head of the answer arrives. The signal cancels the request, also while the body
 * arrives.
 * @throws {KubeError}
 */
export function sendRequest(
  http2: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body: string | undefined,
  signal: AbortSignal,
): Promise<StreamedAnswer | typeof UNPROCESSED> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      reject(brokenOff(error));
    };
    if (http2.closed || http2.destroyed) {
      // The connection has closed since the caller chose it.
      resolve(UNPROCESSED);
      return;
    }
    const stream = http2.request(headers, { endStream: body === undefined, signal });
    // The listener stays: the stream can fail while no code reads it, and an error without a listener ends the process.
    stream.on("error", (error) => {
      if (stream.rstCode === constants.NGHTTP2_REFUSED_STREAM) resolve(UNPROCESSED);
      else fail(error);
    });
    stream.once("close", () => {
      fail(new Error("it ended without an answer"));
    });
    stream.once("response", (head) => {
      const text = Object.entries(head).map(([name, value]) => [name, String(value)] as const);
      resolve({ status: head[":status"] ?? 0, headers: Object.fromEntries(text), stream });
    });
    if (body !== undefined) stream.end(body);
  });
}

/**
 * Yields the body as it arrives. Leaving the loop early cancels the stream.
 * @throws {KubeError} E_KUBE_CLOSED if the body is incomplete
 */
export async function* chunksOf(stream: ClientHttp2Stream): AsyncGenerator<Buffer, void, undefined> {
  try {
    yield* stream as AsyncIterable<Buffer>;
  } catch (error) {
    throw brokenOff(error);
  }
  // The iterator of a stream that the server has reset ends without an error.
  if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) throw brokenOff(new Error("it was reset"));
}

function brokenOff(error: unknown): KubeError {
  return toKubeError(error, "E_KUBE_CLOSED", "the API server's answer broke off");
}

const NEWLINE = 10;

/** Splits a stream of bytes into lines. The memory for an incomplete line is limited. */
export class LineSplitter {
  readonly #maxBytes: number;
  #parts: Buffer[] = [];
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Size of the line that has not ended yet, in bytes. */
  get unfinished(): number {
    return this.#length;
  }

  /**
   * Yields the lines that end in this chunk, without their newline.
   * @throws {KubeError} E_KUBE_PROTOCOL if a line is too long
   */
  *push(chunk: Buffer): Generator<string, void, undefined> {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      this.#append(chunk.subarray(start, end));
      start = end + 1;
      yield Buffer.concat(this.#parts).toString("utf8");
      this.#parts = [];
      this.#length = 0;
    }
    this.#append(chunk.subarray(start));
  }

  #append(part: Buffer): void {
    this.#length += part.length;
    if (this.#length > this.#maxBytes) {
      throw new KubeError("E_KUBE_PROTOCOL", `a line has more than ${this.#maxBytes} bytes`);
    }
    if (part.length > 0) this.#parts.push(part);
  }
}

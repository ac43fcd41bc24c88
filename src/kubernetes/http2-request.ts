import { constants, type ClientHttp2Session, type ClientHttp2Stream, type OutgoingHttpHeaders } from "node:http2";
import { KubeError, toKubeError } from "./kube-error.ts";

/** An answer whose head has come. */
export interface StreamedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly stream: ClientHttp2Stream;
}

/** What the server has not looked at, because it is leaving or has too much to do; it may be sent again at once. */
export const UNPROCESSED = Symbol("unprocessed");

/**
 * Sends one request. The signal ends it, also while the body comes.
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
      // The connection has ended since it was chosen.
      resolve(UNPROCESSED);
      return;
    }
    const stream = http2.request(headers, { endStream: body === undefined, signal });
    // Stays for the life of the stream: nobody may be reading when it fails.
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
 * The body as it comes. Leaving the loop early ends the stream.
 * @throws {KubeError} E_KUBE_CLOSED when it breaks off
 */
export async function* chunksOf(stream: ClientHttp2Stream): AsyncGenerator<Buffer, void, undefined> {
  try {
    yield* stream as AsyncIterable<Buffer>;
  } catch (error) {
    throw brokenOff(error);
  }
  // A reset stream ends as if it were whole.
  if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) throw brokenOff(new Error("it was reset"));
}

function brokenOff(error: unknown): KubeError {
  return toKubeError(error, "E_KUBE_CLOSED", "the API server's answer broke off");
}

const NEWLINE = 10;

/** Cuts a stream of bytes into lines. What is kept of an unfinished line has a bound. */
export class LineSplitter {
  readonly #maxBytes: number;
  #parts: Buffer[] = [];
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes of a line whose end has not come. */
  get unfinished(): number {
    return this.#length;
  }

  /**
   * The lines that end in this chunk, without their newline.
   * @throws {KubeError} E_KUBE_PROTOCOL for a line that is too long
   */
  *push(chunk: Buffer): Generator<string, void, undefined> {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      this.#add(chunk.subarray(start, end));
      start = end + 1;
      yield Buffer.concat(this.#parts).toString("utf8");
      this.#parts = [];
      this.#length = 0;
    }
    this.#add(chunk.subarray(start));
  }

  #add(part: Buffer): void {
    this.#length += part.length;
    if (this.#length > this.#maxBytes) {
      throw new KubeError("E_KUBE_PROTOCOL", `a line has more than ${this.#maxBytes} bytes`);
    }
    if (part.length > 0) this.#parts.push(part);
  }
}

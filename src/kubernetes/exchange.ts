import { constants, type ClientHttp2Session, type ClientHttp2Stream, type OutgoingHttpHeaders } from "node:http2";
import { kubeError, type KubeError } from "./kube-error.ts";

/** An answer whose head has come. */
export interface Exchange {
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
export function exchange(
  http2: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body: string | undefined,
  signal: AbortSignal,
): Promise<Exchange | typeof UNPROCESSED> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      reject(broken(error));
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
    throw broken(error);
  }
  // A reset stream ends as if it were whole.
  if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) throw broken(new Error("it was reset"));
}

function broken(error: unknown): KubeError {
  return kubeError(error, "E_KUBE_CLOSED", "the API server's answer broke off");
}

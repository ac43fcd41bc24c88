import type { OutgoingHttpHeaders } from "node:http2";
import type { KubeAnswer } from "./answer.ts";
import { MAX_OBJECT_BYTES, parseJson, WholeBody, type BodyReader } from "./body-reader.ts";
import { ApiServerConnection, type ConnectionOptions, type Session } from "./connection.ts";
import { Deadline } from "./deadline.ts";
import { chunksOf, sendRequest, UNPROCESSED, type StreamedAnswer, LineSplitter } from "./http2-request.ts";
import { KubeError } from "./kube-error.ts";

export interface KubeRequest {
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly contentType?: string;
  readonly signal?: AbortSignal;
  /** Limit for the whole request, from the connection to the end of the answer. */
  readonly deadlineMs?: number;
  /** Reads the body of an answer with the status 200, for one answer only. Without it a body has one object at most. */
  readonly reader?: BodyReader;
}

export interface WatchRequest extends Pick<KubeRequest, "path" | "query" | "signal"> {
  /** The server must end the watch within this time. */
  readonly lifetimeMs: number;
}

/** An open watch. The iterator yields every line as parsed JSON and throws KubeError; leaving the loop ends the watch. */
export interface WatchStream {
  readonly lines: AsyncIterable<unknown>;
}

/** The interface to the API server: requests and watches. Tests have their own implementation. */
export interface KubeClient {
  /**
   * Resolves to the answer, with any status.
   * @throws {KubeError} if there is no answer
   */
  request(request: KubeRequest): Promise<KubeAnswer>;
  /**
   * Resolves to the open watch, or to the answer if its status is not 200.
   * @throws {KubeError}
   */
  watch(request: WatchRequest): Promise<WatchStream | KubeAnswer>;
}

export interface KubeApiOptions extends ConnectionOptions {
  readonly userAgent: string;
}

const REQUEST_MS = 30_000;
/** An API server answers a watch immediately, even without events. */
const WATCH_OPEN_MS = 30_000;

/** A client of the API server over one HTTP/2 connection. Answers with any status are values; errors mean no answer. */
export class KubeApi implements KubeClient, AsyncDisposable {
  readonly #options: KubeApiOptions;
  readonly #connection: ApiServerConnection;

  constructor(options: KubeApiOptions) {
    this.#options = options;
    this.#connection = new ApiServerConnection(options);
  }

  async request(request: KubeRequest): Promise<KubeAnswer> {
    const limitMs = request.deadlineMs ?? REQUEST_MS;
    using deadline = new Deadline(limitMs, this.#options.clock, request.signal);
    return await withDeadline(deadline, limitMs, request.path, async () =>
      readAnswer(await this.#send(request, deadline.signal), request.reader),
    );
  }

  async watch({ lifetimeMs, ...request }: WatchRequest): Promise<WatchStream | KubeAnswer> {
    const lifetime = new Deadline(lifetimeMs, this.#options.clock, request.signal);
    try {
      using opening = new Deadline(WATCH_OPEN_MS, this.#options.clock, lifetime.signal);
      const answer = await withDeadline(opening, WATCH_OPEN_MS, request.path, () =>
        this.#send(request, lifetime.signal),
      );
      if (answer.status === 200) return { lines: readLines(answer, lifetime, lifetimeMs, request.path) };
      const rejected = await withDeadline(opening, WATCH_OPEN_MS, request.path, () => readAnswer(answer));
      lifetime[Symbol.dispose]();
      return rejected;
    } catch (error) {
      lifetime[Symbol.dispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.close();
  }

  /** Sends a request. After a 401 it reads the credentials again and retries once: the token may have been rotated. */
  async #send(request: KubeRequest, signal: AbortSignal): Promise<StreamedAnswer> {
    const { answer, session } = await this.#sendRetryingOnce(request, signal);
    if (answer.status !== 401) return answer;
    answer.stream.destroy();
    await this.#connection.renewAccess(session);
    return (await this.#sendRetryingOnce(request, signal)).answer;
  }

  /** Sends a request, again on another connection if the server shuts down before it processes the request. */
  async #sendRetryingOnce(request: KubeRequest, signal: AbortSignal) {
    for (let last = false; ; last = true) {
      const session = await this.#connection.session();
      const answer = await this.#sendOnce(session, request, signal);
      if (answer !== UNPROCESSED) return { answer, session };
      this.#connection.retire(session);
      if (last) throw new KubeError("E_KUBE_CLOSED", "the API server did not process the request, on two connections");
    }
  }

  async #sendOnce({ http2, access }: Session, request: KubeRequest, signal: AbortSignal) {
    const headers: OutgoingHttpHeaders = {
      ":method": request.method ?? "GET",
      ":path": pathOf(access.server, request),
      accept: "application/json",
      "user-agent": this.#options.userAgent,
      ...(request.body !== undefined && { "content-type": request.contentType ?? "application/json" }),
      ...(await access.headers()),
    };
    const body = request.body === undefined ? undefined : JSON.stringify(request.body);
    const answer = await sendRequest(http2, headers, body, signal);
    if (answer !== UNPROCESSED) this.#connection.confirmAnswer();
    return answer;
  }
}

/** Returns the path with the query. The API can be below a path of the server, as with Rancher. */
function pathOf({ pathname }: URL, { path, query }: KubeRequest): string {
  const search = new URLSearchParams(
    Object.entries(query ?? {}).map(([name, value]): [string, string] => [name, `${value}`]),
  );
  return pathname.replace(/\/$/, "") + path + (search.size === 0 ? "" : `?${search.toString()}`);
}

/** Resolves to the result of `work`; rejects with E_KUBE_TIMEOUT or E_KUBE_CLOSED as soon as the deadline's signal aborts. */
async function withDeadline<Result>(
  deadline: Deadline,
  limitMs: number,
  path: string,
  work: () => Promise<Result>,
): Promise<Result> {
  const ended = new Promise<never>((_, reject) => {
    const end = (): void => {
      reject(
        deadline.expired
          ? new KubeError("E_KUBE_TIMEOUT", `no answer to ${path} within ${limitMs} ms`)
          : new KubeError("E_KUBE_CLOSED", `the request for ${path} was cancelled`),
      );
    };
    if (deadline.signal.aborted) end();
    deadline.signal.addEventListener("abort", end, { once: true });
  });
  return Promise.race([ended, work()]);
}

async function readAnswer({ status, headers, stream }: StreamedAnswer, reader?: BodyReader): Promise<KubeAnswer> {
  // Errors of filters in front of the API are plain text.
  const isJson = headers["content-type"]?.startsWith("application/json") === true;
  const body = status === 200 && isJson && reader !== undefined ? reader : new WholeBody(isJson);
  for await (const chunk of chunksOf(stream)) body.push(chunk);
  return { status, headers, body: body.end() };
}

async function* readLines(
  { stream }: StreamedAnswer,
  lifetime: Deadline,
  lifetimeMs: number,
  path: string,
): AsyncGenerator<unknown, void, undefined> {
  const splitter = new LineSplitter(MAX_OBJECT_BYTES);
  try {
    for await (const chunk of chunksOf(stream)) for (const line of splitter.push(chunk)) yield parseJson(line);
  } catch (error) {
    if (!lifetime.expired) throw error;
    throw new KubeError("E_KUBE_TIMEOUT", `the server did not end the watch of ${path} within ${lifetimeMs} ms`);
  } finally {
    lifetime[Symbol.dispose]();
  }
  if (splitter.unfinished > 0) throw new KubeError("E_KUBE_CLOSED", `the watch of ${path} broke off inside a line`);
}

import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { text } from "node:stream/consumers";

/** The fields of an object, a list or a Status that tests use. */
export interface ApiObject {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly creationTimestamp: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly { readonly uid: string }[];
    readonly continue?: string;
  };
  readonly items?: readonly ApiObject[];
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: unknown;
  readonly code?: number;
  readonly message?: string;
}

export interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: ApiObject;
}

interface RequestOptions {
  readonly token?: string;
  readonly body?: object;
  readonly contentType?: string;
}

/** Plain calls to an API server with a token, without retries and without kept connections. */
export class KubeApi {
  readonly url: string;
  /** PEM. */
  readonly ca: string;
  readonly #token: string;

  constructor(url: string, ca: string, token: string) {
    this.url = url;
    this.ca = ca;
    this.#token = token;
  }

  async request(
    method: string,
    path: string,
    options: RequestOptions = {},
  ): Promise<{ readonly status: number; readonly body: ApiObject }> {
    const response = await this.#send(method, path, options);
    return { status: response.statusCode ?? 0, body: await objectOf(response) };
  }

  /** Like `request`, for calls that must succeed. */
  async call(method: string, path: string, options: RequestOptions = {}): Promise<ApiObject> {
    const { status, body } = await this.request(method, path, options);
    if (status >= 400) throw new Error(`${method} ${path} was answered ${status}: ${body.message ?? ""}`);
    return body;
  }

  /** Yields events until the server ends the watch; leaving the loop ends it too. A rejection is an ERROR event. */
  async *watch(path: string, options: RequestOptions = {}): AsyncGenerator<WatchEvent, void, undefined> {
    const response = await this.#send("GET", path, options);
    if (response.statusCode !== 200) {
      yield { type: "ERROR", object: await objectOf(response) };
      return;
    }
    let rest = "";
    for await (const chunk of response.setEncoding("utf8") as AsyncIterable<string>) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) yield JSON.parse(line) as WatchEvent;
    }
  }

  #send(method: string, path: string, { token = this.#token, body, contentType }: RequestOptions) {
    return new Promise<IncomingMessage>((resolve, reject) => {
      const headers = {
        authorization: `Bearer ${token}`,
        accept: "application/json",
        ...(body && { "content-type": contentType ?? "application/json" }),
      };
      request(this.url + path, { method, headers, ca: this.ca, agent: false })
        .once("response", resolve)
        .on("error", reject)
        .end(body && JSON.stringify(body));
    });
  }
}

/** Parses an answer. A starting API server also answers in plain text. */
async function objectOf(response: IncomingMessage): Promise<ApiObject> {
  const body = await text(response);
  const isJson = response.headers["content-type"]?.startsWith("application/json") === true;
  return (isJson ? JSON.parse(body) : { kind: "Status", code: response.statusCode, message: body }) as ApiObject;
}

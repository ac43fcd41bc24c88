import { createServer, type IncomingMessage, type Server } from "node:http";
import { gunzipSync } from "node:zlib";
import { parseLines, type Point } from "./line-protocol-parser.ts";

const MAX_BODY = 64 * 1024 * 1024;

/** Where a sink listens: by default on any port of 127.0.0.1. */
export interface Where {
  readonly address?: string;
  readonly port?: number;
}

/** A small server for InfluxDB writes (the v1 and v2 API). It parses them strictly and passes the points on. */
export class Sink implements AsyncDisposable {
  readonly #server: Server;

  private constructor(onLines: (lines: string) => void) {
    this.#server = createServer((request, response) => {
      void (async () => {
        const { pathname } = new URL(request.url ?? "/", "http://sink");
        if (request.method !== "POST" || !["/write", "/api/v2/write"].includes(pathname)) {
          response.writeHead(404).end();
          return;
        }
        try {
          onLines(await body(request));
          response.writeHead(204).end();
        } catch (error) {
          const message = error instanceof Error ? error.message : String(error);
          response
            .writeHead(400, { "content-type": "application/json" })
            .end(JSON.stringify({ code: "invalid", message }));
        }
      })();
    });
  }

  static start(onPoints: (points: readonly Point[]) => void, where?: Where): Promise<Sink> {
    return Sink.startUnparsed((lines) => {
      onPoints(parseLines(lines));
    }, where);
  }

  /** Starts a server that accepts every write, except if `onLines` throws. */
  static async startUnparsed(
    onLines: (lines: string) => void,
    { address = "127.0.0.1", port = 0 }: Where = {},
  ): Promise<Sink> {
    const sink = new Sink(onLines);
    await new Promise<void>((resolve, reject) => {
      sink.#server.once("error", reject);
      sink.#server.listen(port, address, resolve);
    });
    return sink;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the sink does not listen");
    return `http://${address.address}:${address.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

async function body(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) throw new Error("the body is too large");
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks);
  return (
    request.headers["content-encoding"] === "gzip" ? gunzipSync(bytes, { maxOutputLength: MAX_BODY }) : bytes
  ).toString();
}

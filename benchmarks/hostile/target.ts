import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";

/** A fake InfluxDB that passes on the lines that it stores. */
export class Target implements AsyncDisposable {
  readonly url: string;
  /** While away it answers 503. */
  away = false;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(onLines: (lines: string) => void): Promise<Target> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const target = new Target(server);
    server.on("request", (request, response) => {
      void buffer(request).then(
        (body) => {
          if (!target.away) onLines(textOf(body, request.headers["content-encoding"]));
          response.writeHead(target.away ? 503 : 204).end();
        },
        () => request.socket.destroy(),
      );
    });
    return target;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function textOf(body: Buffer, encoding: string | undefined): string {
  return (encoding === "gzip" ? gunzipSync(body) : body).toString();
}

import assert from "node:assert/strict";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { test } from "node:test";
import { batchOf, DeliveryBench, targetSettings, until } from "../support/delivery.ts";

const HEAD = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

/** What a server sends again and again for one request. */
const ENDLESS = {
  "interim answers": { head: "", piece: `HTTP/1.1 103 Early Hints\r\nlink: <${"x".repeat(1_000)}>\r\n\r\n`.repeat(16) },
  "answers 100 Continue": { head: "", piece: "HTTP/1.1 100 Continue\r\n\r\n".repeat(500) },
  "chunks with extensions": { head: HEAD, piece: `1;${"x".repeat(8_000)}\r\na\r\n` },
} as const;

for (const [what, { head, piece }] of Object.entries(ENDLESS)) {
  test(`a target that sends ${what} without end is disconnected long before the deadline`, async () => {
    const closed = Promise.withResolvers<number>();
    const server = createServer((socket: Socket) => {
      socket.on("error", () => undefined);
      socket.on("close", () => {
        closed.resolve(socket.bytesWritten);
      });
      const send = (): void => {
        while (socket.writable && socket.write(piece));
        if (socket.writable) socket.once("drain", send);
      };
      socket.once("data", () => {
        socket.write(head);
        send();
      });
    }).listen(0, "127.0.0.1");
    await using bench = new DeliveryBench();
    try {
      await until("the server listens", () => server.listening);
      const { port } = server.address() as AddressInfo;
      // The deadline is an hour: only a limit of bytes ends the request.
      const sender = bench.start(targetSettings({ url: `http://127.0.0.1:${port}`, timeoutMs: 3_600_000 }));
      await bench.append(batchOf(3));
      await until("the target fails", () => sender.state.state === "Failing");
      assert.ok((await closed.promise) < 8 * 1024 * 1024);
      assert.match(sender.state.detail ?? "", /the server sends data without end|is incomplete/);
    } finally {
      await bench[Symbol.asyncDispose]();
      server.close();
    }
  });
}

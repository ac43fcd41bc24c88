// Targets that want to do harm: servers on loopback that answer a write request in every wrong way.
import { createServer, type AddressInfo, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { linesOf } from "./gzip-member.ts";

/** What a target does with one connection. */
type Behaviour = (connection: Connection) => void;

const JSON_BOMB = gzipSync(Buffer.alloc(256 << 20, 0x20), { level: 9 });
const CHUNKED = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
const ABSURD_DELAYS = [
  "-1",
  "99999999999999999999",
  "NaN",
  "Infinity",
  "1e400",
  "0",
  "",
  "Fri, 31 Dec 9999 23:59:59 GMT",
];

/** What targets do that are broken or want to do harm. */
export const MISBEHAVIOURS = {
  "sends 103 without end": onRequest((c) => {
    c.flood(`HTTP/1.1 103 Early Hints\r\nlink: <${"x".repeat(1_000)}>\r\n\r\n`.repeat(16));
  }),
  "sends 100 without end": onRequest((c) => {
    c.flood("HTTP/1.1 100 Continue\r\n\r\n".repeat(500));
  }),
  "sends empty lines without end": onRequest((c) => {
    c.flood("\r\n".repeat(8_000));
  }),
  "sends chunk extensions without end": onRequest((c) => {
    c.send(CHUNKED);
    c.flood(`1;${"x".repeat(8_000)}\r\na\r\n`);
  }),
  "sends tiny chunks without end": onRequest((c) => {
    c.send(CHUNKED);
    c.flood("1\r\na\r\n".repeat(2_000));
  }),
  "sends a header without end": onRequest((c) => {
    c.send("HTTP/1.1 204 No Content\r\nx: ");
    c.flood("x".repeat(16_000));
  }),
  "sends a status line without end": onRequest((c) => {
    c.send("HTTP/1.1 503 ");
    c.flood("x".repeat(16_000));
  }),
  "sends headers without end": onRequest((c) => {
    c.send("HTTP/1.1 204 No Content\r\n");
    c.flood("a: b\r\n".repeat(2_000));
  }),
  "sends trailers without end": onRequest((c) => {
    c.send(`${CHUNKED}0\r\n`);
    c.flood("a: b\r\n".repeat(2_000));
  }),
  "sends a body without end": onRequest((c) => {
    c.send("HTTP/1.1 200 OK\r\n\r\n");
    c.flood("x".repeat(16_000));
  }),
  "sends a body one byte at a time": onRequest((c) => {
    c.send(CHUNKED);
    c.every(10, "1\r\n \r\n");
  }),
  "sends a header one byte at a time": onRequest((c) => {
    c.send("HTTP/1.1 204 No Content\r\nx: ");
    c.every(10, "x");
  }),
  "sends a gzip bomb": onRequest((c) => {
    c.answer(400, JSON_BOMB, "content-encoding: gzip\r\n");
  }),
  "never answers": onRequest(() => undefined),
  "never reads": ({ socket }) => socket.pause(),
  "closes each connection": ({ socket }) => socket.destroy(),
  "resets each request": onRequest(({ socket }) => socket.resetAndDestroy()),
  "closes in the middle of the answer": onRequest((c) => {
    c.send('HTTP/1.1 400 Bad Request\r\ncontent-length: 1000\r\n\r\n{"error":"part');
    c.socket.end();
  }),
  "answers before the request": (c) => {
    c.answer(204);
    c.socket.resume();
  },
  "sends answers without end before the request": (c) => {
    c.flood("HTTP/1.1 204 No Content\r\n\r\n".repeat(500));
    c.socket.resume();
  },
  "answers each request twice": onRequest((c) => {
    c.answer(204);
    c.answer(204);
  }),
  "sends data without end behind an answer": onRequest((c) => {
    c.answer(204);
    setTimeout(() => {
      c.flood("HTTP/1.1 204 No Content\r\n\r\n".repeat(500));
    }, 5);
  }),
  "switches the protocol": onRequest((c) => {
    c.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
    c.flood("x".repeat(16_000));
  }),
  "redirects to itself": onRequest((c) => {
    c.answer(307, "", "location: /\r\n");
  }),
  "sends absurd Retry-After headers": onRequest((c) => {
    c.answer(c.turn % 2 === 0 ? 429 : 503, "", `retry-after: ${ABSURD_DELAYS[c.turn % ABSURD_DELAYS.length]}\r\n`);
  }),
  "does not speak TLS": ({ socket }) => {
    socket.on("data", () => undefined);
    socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
  },
  "rejects every line": onRequest((c) => {
    c.answer(400, '{"error":"unable to parse"}');
  }),
  "rejects every request of two lines or more": onRequest((c, lines) => {
    if (lines.length > 1) c.answer(400, '{"error":"unable to parse"}');
    else c.answer(204);
  }),
  "rejects requests at random": onRequest((c) => {
    if (c.turn % 3 > 0) c.answer(400, `{"error":"unable to parse number ${c.turn}"}`);
    else c.answer(204);
  }),
  "rejects some lines of each request": onRequest((c, lines) => {
    const data = lines.map((line, at) => ({ original_line: line, line_number: at + 1, error_message: "no" })).slice(1);
    c.answer(400, JSON.stringify({ error: "partial write of line protocol occurred", data }));
  }),
  "rejects every request as too large": onRequest((c) => {
    c.answer(413);
  }),
  "rejects every request of two lines or more as too large": onRequest((c, lines) => {
    c.answer(lines.length > 1 ? 413 : 204);
  }),
  "fails at every second request": onRequest((c) => {
    c.answer(c.turn % 2 === 0 ? 503 : 204);
  }),
  "answers 500 and 400 in turn": onRequest((c) => {
    c.answer(c.turn % 2 === 0 ? 500 : 400);
  }),
} satisfies Record<string, Behaviour>;

export type Misbehaviour = keyof typeof MISBEHAVIOURS;

/** A target that misbehaves in one way. Counts what it was sent. */
export class HostileTarget implements AsyncDisposable {
  requests = 0;
  /** Most connections that were open at the same time. */
  most = 0;
  /** Most bytes that were sent on one connection. */
  mostSentBytes = 0;
  readonly #server = createServer();
  readonly #sockets = new Set<Socket>();

  static async start(kind: Misbehaviour): Promise<HostileTarget> {
    const target = new HostileTarget();
    target.#server.on("connection", (socket: Socket) => {
      target.#accept(socket, MISBEHAVIOURS[kind]);
    });
    await new Promise<void>((resolve) => target.#server.listen(0, "127.0.0.1", resolve));
    return target;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Whether no connection is open. A socket that never reads cannot tell. */
  get agentClosed(): boolean {
    return [...this.#sockets].every((socket) => socket.isPaused());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(socket: Socket, behave: Behaviour): void {
    this.#sockets.add(socket);
    this.most = Math.max(this.most, this.#sockets.size);
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.mostSentBytes = Math.max(this.mostSentBytes, socket.bytesWritten);
      this.#sockets.delete(socket);
    });
    behave(new Connection(socket, () => this.requests++));
  }
}

class Connection {
  readonly socket: Socket;
  /** Counts a request. Returns how many there were before. */
  readonly count: () => number;
  /** The number of the request, over all connections. */
  turn = 0;

  constructor(socket: Socket, count: () => number) {
    this.socket = socket;
    this.count = count;
  }

  send(text: string | Uint8Array): void {
    if (this.socket.writable) this.socket.write(text);
  }

  answer(status: number, body: string | Uint8Array = "", headers = ""): void {
    const length = status === 204 ? "" : `content-length: ${body.length}\r\n`;
    this.send(`HTTP/1.1 ${status} x\r\n${headers}${length}\r\n`);
    if (body.length > 0) this.send(body);
  }

  /** Sends a text again and again, as fast as the peer reads it. */
  flood(piece: string): void {
    const { socket } = this;
    const bytes = Buffer.from(piece);
    const send = (): void => {
      while (socket.writable && socket.write(bytes));
      if (socket.writable) socket.once("drain", send);
    };
    send();
  }

  every(ms: number, piece: string): void {
    const timer = setInterval(() => {
      this.send(piece);
    }, ms);
    this.socket.on("close", () => {
      clearInterval(timer);
    });
  }
}

/** Calls `act` with the lines of each complete request. */
function onRequest(act: (connection: Connection, lines: readonly string[]) => void): Behaviour {
  return (connection) => {
    let received = Buffer.alloc(0);
    connection.socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      const head = received.indexOf("\r\n\r\n") + 4;
      if (head < 4) return;
      const length = Number(/content-length: (\d+)/i.exec(received.subarray(0, head).toString())?.[1]);
      if (received.length < head + length) return;
      const body = received.subarray(head, head + length);
      received = received.subarray(head + length);
      connection.turn = connection.count();
      act(connection, linesOf(body));
    });
  };
}

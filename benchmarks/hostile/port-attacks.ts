import { createConnection, type Socket } from "node:net";
import type { PortAttack } from "./attack.ts";

const REQUESTS = 1_700;
const PERIOD_MS = 1_000;
/** A pod of the attacker has another address than the kubelet, which asks for health. */
const ATTACKER = "127.0.0.2";

/** Floods of the status port, which asks for no credentials. A connection that the agent closes is opened again. */
export const PORT_ATTACKS: readonly PortAttack[] = [
  {
    name: "pipelined-pages",
    row: "F12",
    what: "8 connections with 1,700 pipelined requests of the page in each second",
    flood: (port, connected) => {
      connections({ port, count: 8, connected }, (socket) => {
        const batch = get("/").repeat(REQUESTS);
        const timer = setInterval(() => {
          if (!socket.writableNeedDrain) socket.write(batch);
        }, PERIOD_MS);
        socket.on("close", () => {
          clearInterval(timer);
        });
        socket.write(batch);
        socket.resume();
      });
    },
  },
  {
    name: "keep-alive-pages",
    row: "F12",
    what: "32 clients that ask for the page again as soon as they have it",
    flood: (port, connected) => {
      connections({ port, count: 32, connected }, askAgain("/"));
    },
  },
  {
    name: "keep-alive-metrics",
    row: "F12",
    what: "32 clients that ask for the metrics again as soon as they have them",
    flood: (port, connected) => {
      connections({ port, count: 32, connected }, askAgain("/metrics"));
    },
  },
  {
    name: "slow-readers",
    row: "F12",
    what: "100 connections that ask for the page 20 times and read nothing",
    flood: (port, connected) => {
      connections({ port, count: 100, connected }, (socket) => {
        socket.pause();
        socket.write(get("/").repeat(20));
      });
    },
  },
  {
    name: "slow-requests",
    row: "F12",
    what: "200 connections that send a byte of a request in each second",
    flood: (port, connected) => {
      connections({ port, count: 200, connected }, (socket) => {
        const text = `${get("/").slice(0, -2)}X: `;
        let sent = 0;
        const timer = setInterval(() => socket.write(text[sent++] ?? "x"), PERIOD_MS);
        socket.on("close", () => {
          clearInterval(timer);
        });
        socket.resume();
      });
    },
  },
  {
    name: "idle-connections",
    row: "F12",
    what: "1,000 connections without a request",
    flood: (port, connected) => {
      connections({ port, count: 1_000, connected }, (socket) => {
        socket.resume();
      });
    },
  },
  {
    name: "connection-flood",
    row: "F12",
    what: "50 clients that open a connection, close it and open the next one without a pause",
    flood: (port, connected) => {
      connections({ port, count: 50, connected }, (socket) => {
        socket.destroy();
      });
    },
  },
];

interface Clients {
  readonly port: number;
  readonly count: number;
  readonly connected: () => void;
}

/** Keeps a number of connections open; `use` is called for each new one. */
function connections({ port, count, connected }: Clients, use: (socket: Socket) => void): void {
  const open = (): void => {
    const socket = createConnection({ host: "127.0.0.1", port, localAddress: ATTACKER });
    let refused = false;
    socket.on("error", () => (refused = true));
    socket.once("connect", () => {
      connected();
      use(socket);
    });
    // Not in a busy loop, if nothing listens.
    socket.once("close", () => setTimeout(open, refused ? 100 : 0));
  };
  for (let index = 0; index < count; index++) open();
}

function askAgain(path: string): (socket: Socket) => void {
  return (socket) => {
    let received = "";
    socket.setEncoding("latin1");
    socket.on("data", (part: string) => {
      received += part;
      const [, length] = /content-length: (\d+)/i.exec(received) ?? [];
      const bodyAt = received.indexOf("\r\n\r\n") + 4;
      const isWhole =
        length === undefined ? received.endsWith("\r\n0\r\n\r\n") : received.length >= bodyAt + Number(length);
      if (bodyAt < 4 || !isWhole) return;
      received = "";
      socket.write(get(path));
    });
    socket.write(get(path));
  };
}

function get(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;
}

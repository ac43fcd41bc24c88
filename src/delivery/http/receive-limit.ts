import type { ClientRequest } from "node:http";
import type { Duplex } from "node:stream";

/**
 * Bytes that a server may send for one request. Interim answers, empty lines before the answer, and the extensions of chunks
 * are no part of the body, so a limit of the body does not count them.
 */
const MAX_RECEIVED_BYTES = 512 * 1024;
/** Interim answers for one request. Each costs more than its bytes. */
const MAX_INTERIM_ANSWERS = 32;
/** TLS sessions that a server may offer for one request. OpenSSL offers two. */
const MAX_SESSIONS = 16;
/** Bytes of a proxy's answer to CONNECT. Node keeps all of them in memory. */
const MAX_TUNNEL_BYTES = 16 * 1024;

/** Destroys the request with an error when the server sends more than one request can need. */
export function limitReceived(request: ClientRequest): void {
  request.once("socket", (socket) => {
    const before = socket.bytesRead;
    let interimAnswers = 0;
    let sessions = 0;
    const fail = (): void => {
      request.destroy(new Error("the server sends data without end"));
    };
    const countBytes = (): void => {
      if (socket.bytesRead - before > MAX_RECEIVED_BYTES) fail();
    };
    const countSession = (): void => {
      if (++sessions > MAX_SESSIONS) fail();
    };
    request.on("information", () => {
      if (++interimAnswers > MAX_INTERIM_ANSWERS) fail();
    });
    socket.on("data", countBytes).on("session", countSession);
    // The request closes before another can use the socket, so each request counts from zero.
    request.once("close", () => socket.off("data", countBytes).off("session", countSession));
  });
}

/**
 * Destroys the connection to a proxy when its answer to CONNECT is too long. Also removes the listeners that Node adds at each
 * read of that answer: their number would double with every packet.
 */
export function limitTunnelAnswer(socket: Duplex): void {
  let received = 0;
  const removeListeners = (): void => {
    for (const listener of socket.listeners("readable").slice(1)) socket.off("readable", listener as () => void);
  };
  // Behind the answer, TLS reads from the handle of the socket, without events.
  socket.on("data", (chunk: Buffer) => {
    received += chunk.length;
    if (received > MAX_TUNNEL_BYTES) socket.destroy(new Error("the proxy's answer to CONNECT is too long"));
    else process.nextTick(removeListeners);
  });
}

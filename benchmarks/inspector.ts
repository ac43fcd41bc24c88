import { once } from "node:events";

interface HeapUsage {
  /** Bytes of live JavaScript objects. */
  readonly usedSize: number;
  /** Bytes of buffers and other memory outside the heap. */
  readonly backingStorageSize: number;
}

/** Reads the memory of another Node process that runs with --inspect. */
export class Inspector {
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  /** Resolves to the memory in use after a full garbage collection. */
  async liveHeap(): Promise<HeapUsage> {
    const response = await fetch(`http://127.0.0.1:${this.#port}/json/list`);
    const [target] = (await response.json()) as { readonly webSocketDebuggerUrl: string }[];
    const socket = new WebSocket(target?.webSocketDebuggerUrl ?? "");
    await once(socket, "open");
    try {
      // Objects that only weak references and finalizers reach need a second collection.
      for (const id of [1, 2]) await call(socket, id, "HeapProfiler.collectGarbage");
      return (await call(socket, 3, "Runtime.getHeapUsage")) as HeapUsage;
    } finally {
      socket.close();
    }
  }
}

async function call(socket: WebSocket, id: number, method: string): Promise<unknown> {
  const answered = once(socket, "message") as Promise<[{ readonly data: string }]>;
  socket.send(JSON.stringify({ id, method }));
  const [{ data }] = await answered;
  return (JSON.parse(data) as { readonly result: unknown }).result;
}

import type { Frame } from "../spool/spool.ts";
import type { Protocol } from "./protocol.ts";

/** A body that is being made, or that a request may still hold. */
type Known = Promise<Uint8Array> | WeakRef<Uint8Array>;

/**
 * Makes request bodies from frames. Targets that keep up send the same frames at the same time, so they share a body: it is
 * made once, and kept as long as a request holds it.
 */
export class RequestBodyCache {
  /** Protocol -> sequence numbers of the frames -> body. */
  readonly #known = new Map<Protocol, Map<string, Known>>();

  /** Returns the body of these frames. Rejects if a frame is damaged. */
  async bodyOf(frames: readonly Frame[], protocol: Protocol): Promise<Uint8Array> {
    const bodies = this.#bodiesFor(protocol);
    const key = frames.map(({ sequence }) => sequence).join();
    const known = bodies.get(key);
    const shared = known instanceof WeakRef ? known.deref() : known;
    if (shared !== undefined) return shared;
    deleteCollected(bodies);
    const making = protocol.body(frames);
    bodies.set(key, making);
    try {
      const body = await making;
      bodies.set(key, new WeakRef(body));
      return body;
    } catch (error) {
      bodies.delete(key);
      throw error;
    }
  }

  #bodiesFor(protocol: Protocol): Map<string, Known> {
    const bodies = this.#known.get(protocol) ?? new Map<string, Known>();
    this.#known.set(protocol, bodies);
    return bodies;
  }
}

function deleteCollected(bodies: Map<string, Known>): void {
  for (const [key, known] of bodies) if (known instanceof WeakRef && known.deref() === undefined) bodies.delete(key);
}

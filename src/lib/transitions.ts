/** Says whether a transition of this cause may be written now. */
export type Limit = (cause: string) => boolean;

interface Known {
  /** The state that was written last; undefined if it is the normal state. */
  written: string | undefined;
  /** The present state, if it differs from the written one. */
  pending: { readonly state: string; readonly cause: string; readonly write: () => void } | undefined;
}

/**
 * Writes the states of things as they change, as far as a limit allows. What changes faster is written late or not at all, but
 * a state that lasts is always written in the end. A thing that was never in another state is in its normal state.
 */
export class Transitions {
  readonly #limit: Limit;
  readonly #things = new Map<string, Known>();

  constructor(limit: Limit) {
    this.#limit = limit;
  }

  /** Records that a thing is in a state that is not normal. `cause` is the key of the limit. */
  enter(thing: string, state: string, cause: string, write: () => void): void {
    const known = this.#things.get(thing) ?? { written: undefined, pending: undefined };
    this.#things.set(thing, known);
    known.pending = known.written === state ? undefined : { state, cause, write };
    this.#write(known);
  }

  /** Records that a thing is in its normal state. `write` is called if another state was written. */
  normal(thing: string, write: () => void): void {
    const known = this.#things.get(thing);
    this.#things.delete(thing);
    if (known?.written !== undefined) write();
  }

  /** Forgets each thing with a name that begins with this text. */
  forget(prefix: string): void {
    for (const thing of this.#things.keys()) if (thing.startsWith(prefix)) this.#things.delete(thing);
  }

  /** Forgets all other things. */
  retain(things: ReadonlySet<string>): void {
    for (const thing of this.#things.keys()) if (!things.has(thing)) this.#things.delete(thing);
  }

  /** Writes the states that the limit has delayed and allows now. */
  retry(): void {
    for (const known of this.#things.values()) this.#write(known);
  }

  #write(known: Known): void {
    const { pending } = known;
    if (pending === undefined || !this.#limit(pending.cause)) return;
    known.written = pending.state;
    known.pending = undefined;
    pending.write();
  }
}

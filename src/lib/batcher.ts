interface Waiting<T> {
  readonly item: T;
  readonly done: PromiseWithResolvers<undefined>;
}

/**
 * Hands what comes at about the same time to one piece of work: all that is added in one turn of the event loop, and all
 * that is added while the work before it goes on.
 */
export class Batcher<T> {
  readonly #work: (items: readonly T[]) => Promise<void>;
  #waiting: Waiting<T>[] = [];
  #working: Promise<void> | undefined;

  constructor(work: (items: readonly T[]) => Promise<void>) {
    this.#work = work;
  }

  /** Settles as the work does that the item was part of. */
  add(item: T): Promise<undefined> {
    const done = Promise.withResolvers<undefined>();
    this.#waiting.push({ item, done });
    this.#working ??= this.#run();
    return done.promise;
  }

  /** Resolves when nothing is waiting or being worked on. */
  async idle(): Promise<void> {
    while (this.#working !== undefined) await this.#working;
  }

  async #run(): Promise<void> {
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const taken = this.#waiting.splice(0);
      try {
        await this.#work(taken.map(({ item }) => item));
        for (const { done } of taken) done.resolve(undefined);
      } catch (error) {
        for (const { done } of taken) done.reject(error);
      }
    }
    this.#working = undefined;
  }
}

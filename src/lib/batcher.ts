interface Waiting<T> {
  readonly item: T;
  readonly done: PromiseWithResolvers<undefined>;
}

/**
 * Processes items in batches. A batch has the items that are added in the same turn of the event loop, or while the batch
 * before it is processed.
 */
export class Batcher<T> {
  readonly #process: (items: readonly T[]) => Promise<void>;
  #waiting: Waiting<T>[] = [];
  #running: Promise<void> | undefined;

  constructor(process: (items: readonly T[]) => Promise<void>) {
    this.#process = process;
  }

  /** Adds an item. Settles when its batch has been processed, and rejects if that failed. */
  add(item: T): Promise<undefined> {
    const done = Promise.withResolvers<undefined>();
    this.#waiting.push({ item, done });
    this.#running ??= this.#run();
    return done.promise;
  }

  /** Resolves when every batch has been processed. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0);
      try {
        await this.#process(batch.map(({ item }) => item));
        for (const { done } of batch) done.resolve(undefined);
      } catch (error) {
        for (const { done } of batch) done.reject(error);
      }
    }
    this.#running = undefined;
  }
}

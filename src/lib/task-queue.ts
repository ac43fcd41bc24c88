/** Runs one task at a time, in the order of the calls. */
export class TaskQueue {
  #last: Promise<unknown> = Promise.resolve();

  /** Settles as the task does. The next task runs even if this one fails. */
  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#last.then(task);
    this.#last = result.catch(() => undefined);
    return result;
  }
}

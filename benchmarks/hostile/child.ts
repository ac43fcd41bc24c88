import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { end } from "../../test/integration/support/process.ts";

/** A process of this benchmark. */
export class Child implements AsyncDisposable {
  /** The number that it has sent last. */
  count = 0;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on("message", (message) => {
      if (typeof message === "number") this.count = message;
    });
  }

  /** Starts a module, and resolves when it says that it is ready. */
  static async start(module: string, args: readonly string[]): Promise<Child> {
    const child = fork(module, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    const ready = once(child, "message");
    const failed = once(child, "exit").then(() => Promise.reject(new Error(`${module} ${args.join(" ")} ended`)));
    await Promise.race([ready, failed]);
    failed.catch(() => undefined);
    return new Child(child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#child, "SIGKILL");
  }
}

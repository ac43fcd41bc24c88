import { promisify } from "node:util";
import { isAborted } from "./abort.ts";
import type { Clock } from "./clock.ts";

const NOTIFY_MS = 10_000;

export interface WatchOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Returns whether this process does its work. */
  readonly healthy: () => boolean;
}

/**
 * The service manager that started this process, such as systemd: it waits until the process is ready, and starts it again when
 * there is no sign of life. Node cannot send to the manager's socket, so systemd's own program does.
 */
export class ServiceManager {
  readonly #watchdogMs: number | undefined;
  readonly #send: (state: string) => Promise<void>;

  /** Returns undefined if no manager waits for this process. `send` tells the manager a state; it rejects if that fails. */
  static of(env: NodeJS.ProcessEnv, send = systemdNotify): ServiceManager | undefined {
    return env["NOTIFY_SOCKET"] === undefined ? undefined : new ServiceManager(env["WATCHDOG_USEC"], send);
  }

  private constructor(watchdogUs: string | undefined, send: (state: string) => Promise<void>) {
    const ms = Number(watchdogUs) / 1_000;
    this.#watchdogMs = ms > 0 ? ms : undefined;
    this.#send = send;
  }

  /** Says that this process is ready. Rejects if the manager cannot be told. */
  ready(): Promise<void> {
    return this.#send("READY=1");
  }

  /** Gives a sign of life three times in the manager's limit, while this process is healthy, until the signal aborts. */
  async watch({ clock, signal, healthy }: WatchOptions): Promise<void> {
    if (this.#watchdogMs === undefined) return;
    while (!isAborted(signal)) {
      // A sign that is lost is no fault: there are two more.
      if (healthy()) await this.#send("WATCHDOG=1").catch(() => undefined);
      await clock.sleep(this.#watchdogMs / 3, signal);
    }
  }
}

async function systemdNotify(state: string): Promise<void> {
  // Most agents have no service manager, and do not load this module.
  const { execFile } = await import("node:child_process");
  await promisify(execFile)("systemd-notify", [state], { timeout: NOTIFY_MS });
}

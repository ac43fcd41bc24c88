import { isAborted } from "../lib/abort.ts";
import type { Clock } from "../lib/clock.ts";
import { errorCode } from "../lib/error-code.ts";
import { foreignText } from "../lib/display-text.ts";
import { msToNextRound } from "../lib/rounds.ts";
import { RateLimit, WARNING_PERIOD_MS } from "../lib/rate-limit.ts";
import { within } from "../lib/within.ts";
import { messageOf } from "../errors.ts";
import type { Logger } from "../log.ts";
import { readKnownObjects, writeKnownObjects, type KnownObjects } from "./known-objects-file.ts";

export interface KnownObjectsOptions {
  readonly file: string;
  readonly nodeName: string;
  /** Returns what the agent knows now. */
  readonly current: () => KnownObjects;
  readonly log: Logger;
  readonly clock: Clock;
}

/** The shortest time between two writes of the file. VMIs change often. */
const WRITE_MS = 10_000;
/** How long the start and the end of the agent wait for a disk that hangs. */
const DISK_TIMEOUT_MS = 2_000;
/** Characters of a reason in the log. */
const MAX_REASON = 256;

/** Keeps what the agent knows of the cluster in a file, for an agent that starts while the API server does not answer. */
export class KnownObjectsKeeper {
  readonly #options: KnownObjectsOptions;
  readonly #warnings: RateLimit;
  #isChanged = false;
  #writing: Promise<void> | undefined;

  constructor(options: KnownObjectsOptions) {
    this.#options = options;
    this.#warnings = new RateLimit(WARNING_PERIOD_MS, options.clock);
  }

  /** Resolves to what an earlier agent knew; undefined if there is no file or it cannot be used. */
  async load(): Promise<KnownObjects | undefined> {
    const { file, nodeName, log, clock } = this.#options;
    try {
      const known = await within(readKnownObjects(file, nodeName), DISK_TIMEOUT_MS, clock);
      if (known === undefined) throw new Error(`no answer from the disk within ${DISK_TIMEOUT_MS} ms`);
      return known;
    } catch (error) {
      if (errorCode(error) === "ENOENT") return undefined;
      const reason = foreignText(messageOf(error), MAX_REASON);
      log.warn({ file }, `the VMs known before the restart cannot be read, so all wait for the API server: ${reason}`);
      return undefined;
    }
  }

  /** Must be called after what the agent knows has changed. */
  changed(): void {
    this.#isChanged = true;
  }

  /** Writes changes until the signal aborts, and then once more. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!isAborted(signal)) {
      await clock.sleep(msToNextRound(WRITE_MS, clock), signal);
      // Not awaited: on a disk that hangs, a write may never end.
      this.#writing ??= this.#write().finally(() => (this.#writing = undefined));
    }
    // The write that is under way may not have the last changes.
    if (this.#writing !== undefined)
      await within(
        this.#writing.then(() => this.#write()),
        DISK_TIMEOUT_MS,
        clock,
      );
  }

  async #write(): Promise<void> {
    if (!this.#isChanged) return;
    const { file, nodeName, current, log } = this.#options;
    this.#isChanged = false;
    try {
      await writeKnownObjects(file, nodeName, current());
    } catch (error) {
      this.#isChanged = true;
      if (this.#warnings.allows("write"))
        log.warn({ file }, `the known VMs cannot be saved, so new ones wait after a restart: ${messageOf(error)}`);
    }
  }
}

import { messageOf, TelemetryError } from "../errors.ts";
import { errorCode } from "../lib/error-code.ts";

/** Receives what an operator should know about a durable spool. */
export interface SpoolObserver {
  /** New lines are kept in memory only, up to a limit. Called again only when the cause changes. */
  failing(error: TelemetryError): void;
  /** The disk works again. */
  recovered(): void;
  /** A problem in the directory that does not stop the spool. */
  found(error: TelemetryError): void;
  /** The lines in the directory of an agent that has ended are now in this spool. */
  takenOver(directory: string, lines: number): void;
}

export interface DiskStats {
  readonly segments: number;
  /** How often frames were made durable, and the total time of that. */
  readonly syncs: number;
  readonly syncMs: number;
  /** Lines that exist only in memory, because the disk has not accepted them. */
  readonly unsavedLines: number;
  /** Lines for targets that are not configured. They stay until a cap drops them or the target is configured again. */
  readonly orphanedLines: number;
  readonly corruptFrames: number;
  readonly truncatedBytes: number;
  /** Number of files and directories that stay untouched: of a newer version, or impossible to open. */
  readonly unsupportedFiles: number;
  /** By system error code, such as ENOSPC. */
  readonly writeErrors: Readonly<Record<string, number>>;
  /** Of the file system; undefined until the first check. */
  readonly freeBytes: number | undefined;
}

/** Counts disk operations and errors, and calls the observer when the disk begins or stops failing. */
export class DiskMonitor {
  readonly #directory: string;
  readonly #observer: SpoolObserver | undefined;
  readonly #writeErrors = new Map<string, number>();
  readonly #unsupportedFiles = new Set<string>();
  /** The error code that the observer knows. */
  #failing: string | undefined;
  #corruptFrames = 0;
  #truncatedBytes = 0;
  #syncs = 0;
  #syncMs = 0;
  freeBytes: number | undefined;

  constructor(directory: string, observer: SpoolObserver | undefined) {
    this.#directory = directory;
    this.#observer = observer;
  }

  get counts(): Omit<DiskStats, "segments" | "unsavedLines" | "orphanedLines"> {
    return {
      syncs: this.#syncs,
      syncMs: this.#syncMs,
      corruptFrames: this.#corruptFrames,
      truncatedBytes: this.#truncatedBytes,
      unsupportedFiles: this.#unsupportedFiles.size,
      freeBytes: this.freeBytes,
      writeErrors: Object.fromEntries(this.#writeErrors),
    };
  }

  /** Counts an error of an operation that is not essential or will be retried. Returns its code. */
  countError(error: unknown): string {
    const code = errorCode(error) ?? "unknown";
    this.#writeErrors.set(code, (this.#writeErrors.get(code) ?? 0) + 1);
    return code;
  }

  /** Frames could not be made durable. */
  writeFailed(error: unknown): void {
    const code = this.countError(error);
    if (this.#failing === code) return;
    this.#failing = code;
    this.#observer?.failing(
      new TelemetryError("E_SPOOL_WRITE", `cannot write to ${this.#directory}: ${messageOf(error)}`, { cause: error }),
    );
  }

  /** Frames were made durable, which took `ms`. */
  writeSucceeded(ms: number): void {
    this.#syncs++;
    this.#syncMs += ms;
    if (this.#failing === undefined) return;
    this.#failing = undefined;
    this.#observer?.recovered();
  }

  addRecovery({ corruptFrames, truncatedBytes }: Pick<DiskStats, "corruptFrames" | "truncatedBytes">): void {
    this.#truncatedBytes += truncatedBytes;
    if (corruptFrames > 0) this.addDamage("at the start", corruptFrames);
  }

  addUnsupportedFiles(files: readonly string[]): void {
    const before = this.#unsupportedFiles.size;
    for (const file of files) this.#unsupportedFiles.add(file);
    const [first = ""] = files;
    if (this.#unsupportedFiles.size > before)
      this.report(
        "E_SPOOL_NEWER",
        `${this.#unsupportedFiles.size} files cannot be read and are kept, such as ${first}`,
      );
  }

  addDamage(where: string, frames: number): void {
    this.#corruptFrames += frames;
    this.report("E_SPOOL_DAMAGED", `${frames} damaged frames in ${this.#directory} (${where}) were skipped`);
  }

  report(code: "E_SPOOL_DAMAGED" | "E_SPOOL_NEWER" | "E_SPOOL_LOCKED", message: string): void {
    this.#observer?.found(new TelemetryError(code, message));
  }

  takenOver(directory: string, lines: number): void {
    this.#observer?.takenOver(directory, lines);
  }
}

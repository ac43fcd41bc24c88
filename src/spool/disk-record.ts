import { messageOf, TelemetryError } from "../errors.ts";

/** What a durable spool tells of its work. */
export interface SpoolObserver {
  /** Lines are kept in memory only, as far as that goes. Said again only when the cause is another. */
  failing(error: TelemetryError): void;
  recovered(): void;
  /** Something on the disk that an operator should know of. */
  found(error: TelemetryError): void;
  /** Took over what an agent that is gone left behind. */
  adopted(directory: string, lines: number): void;
}

export interface DiskStats {
  readonly segments: number;
  /** How often frames were made durable, and how long that took altogether. */
  readonly syncs: number;
  readonly syncMs: number;
  /** Lines that are in memory only, because the disk did not take them. */
  readonly unsavedLines: number;
  /** Lines for targets that are not configured. They are kept until a cap takes them, or the target comes back. */
  readonly unclaimedLines: number;
  readonly corruptFrames: number;
  readonly truncatedBytes: number;
  /** Files of a newer version, and those that cannot be opened. */
  readonly filesLeftAlone: number;
  /** By the code that the system gave, such as ENOSPC. */
  readonly writeErrors: Readonly<Record<string, number>>;
  /** Of the file system; undefined before it was looked at. */
  readonly freeBytes: number | undefined;
}

/** Keeps count of what the disk did, and tells the observer of transitions. */
export class DiskRecord {
  readonly #directory: string;
  readonly #observer: SpoolObserver | undefined;
  readonly #writeErrors = new Map<string, number>();
  readonly #leftAlone = new Set<string>();
  #failing: string | undefined;
  corruptFrames = 0;
  truncatedBytes = 0;
  syncs = 0;
  syncMs = 0;
  freeBytes: number | undefined;

  constructor(directory: string, observer: SpoolObserver | undefined) {
    this.#directory = directory;
    this.#observer = observer;
  }

  get counts(): Omit<DiskStats, "segments" | "unsavedLines" | "unclaimedLines"> {
    const { syncs, syncMs, corruptFrames, truncatedBytes, freeBytes } = this;
    const filesLeftAlone = this.#leftAlone.size;
    const writeErrors = Object.fromEntries(this.#writeErrors);
    return { syncs, syncMs, corruptFrames, truncatedBytes, filesLeftAlone, freeBytes, writeErrors };
  }

  /** Something on the disk did not work that can be done without. */
  error(error: unknown): string {
    const code = errorCode(error) ?? "unknown";
    this.#writeErrors.set(code, (this.#writeErrors.get(code) ?? 0) + 1);
    return code;
  }

  /** Frames could not be made durable. */
  failed(error: unknown): void {
    const code = this.error(error);
    if (this.#failing === code) return;
    this.#failing = code;
    this.#observer?.failing(
      new TelemetryError("E_SPOOL_WRITE", `${this.#directory} does not take lines: ${messageOf(error)}`, {
        cause: error,
      }),
    );
  }

  worked(ms: number): void {
    this.syncs++;
    this.syncMs += ms;
    if (this.#failing === undefined) return;
    this.#failing = undefined;
    this.#observer?.recovered();
  }

  recovered({ corruptFrames, truncatedBytes }: Pick<DiskStats, "corruptFrames" | "truncatedBytes">): void {
    this.truncatedBytes += truncatedBytes;
    if (corruptFrames > 0) this.damaged("at the start", corruptFrames);
  }

  leftAlone(files: readonly string[]): void {
    const before = this.#leftAlone.size;
    for (const file of files) this.#leftAlone.add(file);
    const [first = ""] = files;
    if (this.#leftAlone.size > before)
      this.found("E_SPOOL_NEWER", `${this.#leftAlone.size} files are left as they are, for instance ${first}`);
  }

  damaged(where: string, frames: number): void {
    this.corruptFrames += frames;
    this.found("E_SPOOL_DAMAGED", `${frames} damaged frames in ${this.#directory} (${where}) were passed over`);
  }

  found(code: "E_SPOOL_DAMAGED" | "E_SPOOL_NEWER" | "E_SPOOL_LOCKED", message: string): void {
    this.#observer?.found(new TelemetryError(code, message));
  }

  adopted(directory: string, lines: number): void {
    this.#observer?.adopted(directory, lines);
  }
}

export function errorCode(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}

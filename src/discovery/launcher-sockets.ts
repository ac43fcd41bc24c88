import { watch } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { isAborted } from "../lib/abort.ts";
import type { Clock } from "../lib/clock.ts";
import { LIMIT } from "../libvirt/protocol.ts";

/** The libvirt daemon of one virt-launcher pod. */
export interface Launcher {
  readonly podUid: string;
  readonly socket: string;
}

const EMPTY_DIRS = "volumes/kubernetes.io~empty-dir";
/** Read-only ones first; only privileged daemons have them. KubeVirt before 0.59 runs libvirtd instead of virtqemud. */
const SOCKETS = ["virtqemud-sock-ro", "virtqemud-sock", "libvirt-sock-ro", "libvirt-sock"];
/** virt-handler puts it beside a launcher's command socket when it has given the launcher up. */
const UNRESPONSIVE = "sockets/launcher-unresponsive";
/** With the watch a new launcher is found at once, and without it within this time. */
const SCAN_MS = 2_000;
/** A launcher with a socket rarely changes; that it has ended shows on its connection, or by its directory being gone. */
const RESCAN_MS = 30_000;
/** The kubelet makes the volumes of a pod in its first seconds; a pod without libvirt's by then never gets it. */
const VOLUME_CREATION_MS = 300_000;

interface Pod {
  readonly firstSeenMs: number;
  nextScanMs: number;
  socket: string | undefined;
  /** `unresponsive`: virt-handler has given it up. `denied`: this process may not look into it. */
  state: "ready" | "none" | "unresponsive" | "denied";
}

/**
 * Finds the sockets of the virt-launcher pods in the kubelet's pods directory. Pods that are no launchers, launchers that
 * have no socket yet and pods that end meanwhile are all normal and no error.
 */
export class LauncherSockets {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #pods = new Map<string, Pod>();
  #error: unknown;

  constructor(directory: string, clock: Clock) {
    this.#directory = directory;
    this.#clock = clock;
  }

  /** Launchers with a socket, ordered by pod. */
  get launchers(): readonly Launcher[] {
    const ready = [...this.#pods].flatMap(([podUid, { state, socket }]) =>
      state === "ready" && socket !== undefined ? { podUid, socket } : [],
    );
    return ready.sort((a, b) => (a.podUid < b.podUid ? -1 : 1));
  }

  /** UIDs of the pods that are not looked into, and why. */
  podsInState(state: "unresponsive" | "denied"): readonly string[] {
    return [...this.#pods].flatMap(([podUid, pod]) => (pod.state === state ? podUid : []));
  }

  /** What the last scan failed with, because the pods directory itself cannot be read; undefined if it did not fail. */
  get error(): unknown {
    return this.#error;
  }

  /**
   * Looks once.
   * @throws the file system's error when the pods directory itself cannot be read.
   */
  async scan(): Promise<void> {
    const names = new Set(await readdir(this.#directory));
    for (const podUid of this.#pods.keys()) if (!names.has(podUid)) this.#pods.delete(podUid);
    const now = this.#clock.monotonic();
    for (const podUid of names) {
      if (!this.#pods.has(podUid))
        this.#pods.set(podUid, { firstSeenMs: now, nextScanMs: now, socket: undefined, state: "none" });
    }
    const due = [...this.#pods].filter(([, { nextScanMs: nextLookMs }]) => nextLookMs <= now);
    await Promise.all(due.map(([podUid, pod]) => this.#inspect(podUid, pod, now)));
  }

  /**
   * Scans until the signal aborts: when the directory changes, and every two seconds. `scanned` is called after each scan,
   * failed ones too.
   */
  async follow(signal: AbortSignal, scanned: () => void = () => undefined): Promise<void> {
    while (!isAborted(signal)) {
      const changed = new AbortController();
      // From before the scan on, so that no change falls between the two.
      const unwatch = this.#watch(() => {
        changed.abort();
      });
      try {
        await this.scan();
        this.#error = undefined;
      } catch (error) {
        this.#error = error;
      }
      scanned();
      await this.#clock.sleep(SCAN_MS, AbortSignal.any([signal, changed.signal]));
      unwatch();
    }
  }

  async #inspect(podUid: string, pod: Pod, nowMs: number): Promise<void> {
    const volumes = path.join(this.#directory, podUid, EMPTY_DIRS);
    const runtime = path.join(volumes, "libvirt-runtime");
    const found = await entries(runtime);
    const sockets = SOCKETS.filter((name) => found !== "denied" && found?.includes(name) === true).map((name) =>
      path.join(runtime, name),
    );
    // The longer name of the read-only socket may be too long where the other one fits.
    pod.socket = sockets.find((socket) => Buffer.byteLength(socket) <= LIMIT.SOCKET_PATH) ?? sockets[0];
    if (found === "denied") pod.state = "denied";
    else if (pod.socket === undefined) pod.state = "none";
    else pod.state = (await exists(path.join(volumes, UNRESPONSIVE))) ? "unresponsive" : "ready";
    if (pod.state !== "none") pod.nextScanMs = nowMs + RESCAN_MS;
    else if (found === undefined && nowMs - pod.firstSeenMs > VOLUME_CREATION_MS)
      pod.nextScanMs = Number.POSITIVE_INFINITY;
  }

  /** inotify does not work on every file system, and a node may have run out of it: the scan is enough then. */
  #watch(changed: () => void): () => void {
    try {
      const watcher = watch(this.#directory, { persistent: false }, changed);
      watcher.on("error", () => undefined);
      return () => {
        watcher.close();
      };
    } catch {
      return () => undefined;
    }
  }
}

/** The names in a directory; undefined when it is not there, as in pods that are no launchers. */
async function entries(directory: string): Promise<readonly string[] | "denied" | undefined> {
  try {
    return await readdir(directory);
  } catch (error) {
    return ["EACCES", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "") ? "denied" : undefined;
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch {
    return false;
  }
}

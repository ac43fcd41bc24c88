import { watch } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { isAborted } from "../lib/abort.ts";
import type { Clock } from "../lib/clock.ts";
import { LIMIT } from "../libvirt/protocol.ts";
import { isDenied } from "../lib/error-code.ts";

/** The libvirt daemon of one virt-launcher pod. */
export interface Launcher {
  readonly podUid: string;
  readonly socket: string;
}

const EMPTY_DIRS = "volumes/kubernetes.io~empty-dir";
/** In order of preference. Only privileged daemons have read-only sockets. KubeVirt before 0.59 runs libvirtd. */
const SOCKETS = ["virtqemud-sock-ro", "virtqemud-sock", "libvirt-sock-ro", "libvirt-sock"];
/** virt-handler creates this file next to a launcher's command socket when the launcher does not respond. */
const UNRESPONSIVE = "sockets/launcher-unresponsive";
/** The time in which a new launcher is found if the file system does not support watches. */
const SCAN_MS = 2_000;
/** A launcher with a socket rarely changes. Its end shows on its connection, or when its directory is deleted. */
const RESCAN_MS = 30_000;
/** The kubelet creates the volumes of a pod in its first seconds. A pod without libvirt's volume is not a launcher. */
const VOLUME_CREATION_MS = 300_000;

interface Pod {
  readonly firstSeenMs: number;
  nextScanMs: number;
  socket: string | undefined;
  /** `unresponsive`: see `UNRESPONSIVE`. `denied`: the agent may not read the directory. */
  state: "ready" | "none" | "unresponsive" | "denied";
}

/**
 * Finds the sockets of the launchers in the kubelet's pods directory. Other pods, launchers without a socket and pods that
 * end during a scan are not errors.
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

  /** The launchers with a socket, ordered by pod UID. */
  get launchers(): readonly Launcher[] {
    const ready = [...this.#pods].flatMap(([podUid, { state, socket }]) =>
      state === "ready" && socket !== undefined ? { podUid, socket } : [],
    );
    return ready.sort((a, b) => (a.podUid < b.podUid ? -1 : 1));
  }

  /** Returns the UIDs of the pods in this state. */
  podsInState(state: "unresponsive" | "denied"): readonly string[] {
    return [...this.#pods].flatMap(([podUid, pod]) => (pod.state === state ? podUid : []));
  }

  /** The error of the last scan: the pods directory itself cannot be read. Undefined if the scan succeeded. */
  get error(): unknown {
    return this.#error;
  }

  /**
   * Scans the pods that are due.
   * @throws the file system's error if the pods directory itself cannot be read
   */
  async scan(): Promise<void> {
    const names = new Set(await readdir(this.#directory));
    for (const podUid of this.#pods.keys()) if (!names.has(podUid)) this.#pods.delete(podUid);
    const now = this.#clock.monotonic();
    for (const podUid of names) {
      if (!this.#pods.has(podUid))
        this.#pods.set(podUid, { firstSeenMs: now, nextScanMs: now, socket: undefined, state: "none" });
    }
    const due = [...this.#pods].filter(([, { nextScanMs }]) => nextScanMs <= now);
    await Promise.all(due.map(([podUid, pod]) => this.#inspect(podUid, pod, now)));
  }

  /**
   * Scans until the signal aborts: when the directory changes, and every two seconds. Calls `scanned` after each scan, also
   * after a failed one.
   */
  async follow(signal: AbortSignal, scanned: () => void = () => undefined): Promise<void> {
    while (!isAborted(signal)) {
      const changed = new AbortController();
      // The watch starts before the scan, so that no change is missed.
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
    // The path of the read-only socket may be too long although that of the other socket is not.
    pod.socket = sockets.find((socket) => Buffer.byteLength(socket) <= LIMIT.SOCKET_PATH) ?? sockets[0];
    if (found === "denied") pod.state = "denied";
    else if (pod.socket === undefined) pod.state = "none";
    else pod.state = (await exists(path.join(volumes, UNRESPONSIVE))) ? "unresponsive" : "ready";
    if (pod.state !== "none") pod.nextScanMs = nowMs + RESCAN_MS;
    else if (found === undefined && nowMs - pod.firstSeenMs > VOLUME_CREATION_MS)
      pod.nextScanMs = Number.POSITIVE_INFINITY;
  }

  /** Watches the directory if it can. Not every file system supports inotify, and a node can run out of watches. */
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

/** Resolves to the names in a directory; undefined if it does not exist, as in a pod that is not a launcher. */
async function entries(directory: string): Promise<readonly string[] | "denied" | undefined> {
  try {
    return await readdir(directory);
  } catch (error) {
    return isDenied(error) ? "denied" : undefined;
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

import { watch } from "node:fs";
import { lstat, readdir, stat } from "node:fs/promises";
import path from "node:path";
import { isAborted } from "../lib/abort.ts";
import type { Clock } from "../lib/clock.ts";
import { isDenied } from "../lib/error-code.ts";
import { msToNextRound } from "../lib/rounds.ts";
import { Waker } from "../lib/waker.ts";

/** The libvirt daemon of one virt-launcher pod. */
export interface Launcher {
  readonly podUid: string;
  readonly socket: string;
}

/** A launcher that cannot be collected. */
export interface UnusableLauncher {
  readonly podUid: string;
  /** The directory that the agent may not read, or virt-handler's mark. */
  readonly where: string;
  /** `denied`: the agent may not read the pod's directory, so it may be another pod too. `unresponsive`: see `UNRESPONSIVE`. */
  readonly reason: "denied" | "unresponsive";
}

const EMPTY_DIRS = "volumes/kubernetes.io~empty-dir";
/** In order of preference. Only privileged daemons have read-only sockets. KubeVirt before 0.59 runs libvirtd. */
const SOCKETS = ["virtqemud-sock-ro", "virtqemud-sock", "libvirt-sock-ro", "libvirt-sock"];
/** virt-handler creates this file next to a launcher's command socket when the launcher does not respond. */
const UNRESPONSIVE = "sockets/launcher-unresponsive";
/** The time between two scans while a pod starts, after an error, and if the file system does not support watches. */
const SCAN_MS = 2_000;
/** The time between two scans while a watch reports each change. They find what ends inside of a pod's directory. */
const WATCHED_SCAN_MS = 10_000;
/** The shortest time between two scans: many pods that come and go cause one scan, not one each. */
const MIN_SCAN_MS = 500;
/** A pod that can be a launcher is inspected at every scan for this time. Its socket appears within seconds. */
const STARTING_MS = 60_000;
/** A launcher with a socket rarely changes. Its end shows on its connection, or when its directory is deleted. */
const RESCAN_MS = 25_000;
/** The kubelet creates the volumes of a pod in its first seconds. A pod without libvirt's volume is not a launcher. */
const VOLUME_CREATION_MS = 300_000;
/**
 * Pods that one scan inspects: of those that a VMI lists, and of all others. Any tenant can create pods, and an inspection takes up
 * to 50 microseconds of CPU. The others are not collected, so they may wait.
 */
const MAX_INSPECTIONS = { listed: 1_000, others: 50 };

interface Pod {
  /** When the pod was first seen, or first listed. */
  sinceMs: number;
  listed: boolean;
  nextScanMs: number;
  socket: string | undefined;
  state: "ready" | "none" | UnusableLauncher["reason"];
}

/**
 * Finds the sockets of the launchers in the kubelet's pods directory. Other pods, launchers without a socket and pods that
 * end during a scan are not errors. Only names are looked up in the directories of a pod, because it can fill them.
 */
export class LauncherSockets {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #isListed: (podUid: string) => boolean;
  readonly #pods = new Map<string, Pod>();
  /** Ends the wait for the next scan. */
  #waiting = new Waker();
  #error: unknown;

  /**
   * `isListed` returns whether a VMI lists the pod. Pods that it does not list are inspected rarely, because they are not
   * collected. Without it every pod may be a launcher.
   */
  constructor(directory: string, clock: Clock, isListed: (podUid: string) => boolean = () => true) {
    this.#directory = directory;
    this.#clock = clock;
    this.#isListed = isListed;
  }

  /** The launchers with a socket, ordered by pod UID. */
  get launchers(): readonly Launcher[] {
    const ready = [...this.#pods].flatMap(([podUid, { state, socket }]) =>
      state === "ready" && socket !== undefined ? { podUid, socket } : [],
    );
    return ready.sort((a, b) => (a.podUid < b.podUid ? -1 : 1));
  }

  /** The launchers that cannot be collected, ordered by pod UID. */
  get unusable(): readonly UnusableLauncher[] {
    const unusable = [...this.#pods].flatMap(([podUid, { state: reason }]): UnusableLauncher[] => {
      if (reason === "ready" || reason === "none") return [];
      const directory = path.join(this.#directory, podUid);
      return [
        { podUid, reason, where: reason === "denied" ? directory : path.join(directory, EMPTY_DIRS, UNRESPONSIVE) },
      ];
    });
    return unusable.sort((a, b) => (a.podUid < b.podUid ? -1 : 1));
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
    for (const podUid of names) this.#update(podUid, now);
    const due = [...this.#due(now, true, MAX_INSPECTIONS.listed), ...this.#due(now, false, MAX_INSPECTIONS.others)];
    await Promise.all(due.map(([podUid, pod]) => this.#inspect(podUid, pod, now)));
  }

  /** Returns some of the pods that are due, those first that were not inspected for longest. */
  #due(nowMs: number, listed: boolean, atMost: number): readonly (readonly [podUid: string, pod: Pod])[] {
    const due: (readonly [string, Pod])[] = [];
    for (const entry of this.#pods) {
      if (entry[1].listed === listed && entry[1].nextScanMs <= nowMs) due.push(entry);
      if (due.length === atMost) break;
    }
    // They go to the end of the map.
    for (const [podUid, pod] of due) {
      this.#pods.delete(podUid);
      this.#pods.set(podUid, pod);
    }
    return due;
  }

  /**
   * Scans until the signal aborts: when the directory changes, after `listChanged`, every two seconds while a pod starts, and
   * otherwise every ten seconds. Calls `scanned` after each scan, also after a failed one.
   */
  async follow(signal: AbortSignal, scanned: () => void = () => undefined): Promise<void> {
    while (!isAborted(signal)) {
      const waker = (this.#waiting = new Waker());
      const wake = (): void => {
        waker.wake();
      };
      signal.addEventListener("abort", wake);
      // The watch starts before the scan, so that no change is missed.
      const unwatch = this.#watch(wake);
      try {
        this.#error = await this.scan().catch((error: unknown) => error);
        scanned();
        const scannedMs = this.#clock.monotonic();
        await this.#clock.sleep(unwatch === undefined ? SCAN_MS : this.#pauseMs(), waker);
        const leftMs = scannedMs + MIN_SCAN_MS - this.#clock.monotonic();
        if (leftMs > 0) await this.#clock.sleep(leftMs, signal);
      } finally {
        unwatch?.();
        signal.removeEventListener("abort", wake);
      }
    }
  }

  /** Must be called when a VMI lists other pods than before, so that `follow` inspects them at once. */
  listChanged(): void {
    this.#waiting.wake();
  }

  /** Returns the time until the next scan of a directory that is watched. */
  #pauseMs(): number {
    const soonMs = this.#clock.monotonic() + SCAN_MS;
    const isStarting = ({ listed, state, nextScanMs }: Pod): boolean =>
      listed && state === "none" && nextScanMs <= soonMs;
    const isSoon = this.#error !== undefined || [...this.#pods.values()].some(isStarting);
    return isSoon ? SCAN_MS : msToNextRound(WATCHED_SCAN_MS, this.#clock);
  }

  /** Adds a pod that is new. A pod that was not listed before is inspected again at once. */
  #update(podUid: string, nowMs: number): void {
    const pod = this.#pods.get(podUid);
    const listed = this.#isListed(podUid);
    if (pod === undefined)
      this.#pods.set(podUid, { sinceMs: nowMs, listed, nextScanMs: nowMs, socket: undefined, state: "none" });
    else if (listed !== pod.listed) {
      pod.listed = listed;
      pod.sinceMs = nowMs;
      if (listed && pod.state === "none") pod.nextScanMs = nowMs;
    }
  }

  async #inspect(podUid: string, pod: Pod, nowMs: number): Promise<void> {
    const volumes = path.join(this.#directory, podUid, EMPTY_DIRS);
    const runtime = path.join(volumes, "libvirt-runtime");
    const found = await presence(runtime);
    const [readable, socket] = found === "present" ? await socketIn(runtime) : [found];
    pod.socket = socket;
    if (readable === "denied") pod.state = "denied";
    else if (pod.socket === undefined) pod.state = "none";
    else pod.state = (await presence(path.join(volumes, UNRESPONSIVE))) === "present" ? "unresponsive" : "ready";
    pod.nextScanMs = nowMs + nextScanIn(pod, found, nowMs - pod.sinceMs);
  }

  /**
   * Watches the directory. Returns a function that ends it, and undefined if it cannot be watched: not every file system supports
   * inotify, and a node can run out of watches.
   */
  #watch(changed: () => void): (() => void) | undefined {
    try {
      const watcher = watch(this.#directory, { persistent: false }, changed);
      // The next scan watches again.
      watcher.on("error", changed);
      return () => {
        watcher.close();
      };
    } catch {
      return undefined;
    }
  }
}

/** Returns when to inspect a pod again, in milliseconds; Infinity if it is not a launcher. */
function nextScanIn({ state, listed }: Pod, runtime: Presence, ageMs: number): number {
  if (state !== "none") return RESCAN_MS;
  if (runtime === "absent" && ageMs > VOLUME_CREATION_MS) return Number.POSITIVE_INFINITY;
  // For a pod that does not start, and for a pod of no VMI, the time doubles.
  if (listed && ageMs < STARTING_MS) return SCAN_MS;
  return Math.min(Math.max(SCAN_MS, ageMs), RESCAN_MS);
}

type Presence = "present" | "absent" | "denied";

/** Resolves to whether a file exists; "denied" if the agent may not look. */
async function presence(file: string, lookUp: (file: string) => Promise<unknown> = stat): Promise<Presence> {
  try {
    await lookUp(file);
    return "present";
  } catch (error) {
    return isDenied(error) ? "denied" : "absent";
  }
}

/** Resolves to the preferred socket in a directory, if it has one. The path may have any length. */
async function socketIn(runtime: string): Promise<readonly [Presence, socket?: string]> {
  for (const name of SOCKETS) {
    const socket = path.join(runtime, name);
    const found = await presence(socket, lstat);
    if (found === "present") return [found, socket];
    if (found === "denied") return [found];
  }
  return ["absent"];
}

import { stat } from "node:fs/promises";
import { TelemetryError } from "../errors.ts";
import { LibvirtClient } from "../libvirt/client.ts";
import { LibvirtError } from "../libvirt/errors.ts";

/** The sockets of libvirt's daemons on a host without KubeVirt. The read-only sockets are first, because they are enough. */
export const STANDARD_SOCKETS: readonly string[] = [
  "/run/libvirt/virtqemud-sock-ro",
  "/run/libvirt/libvirt-sock-ro",
  "/run/libvirt/virtqemud-sock",
  "/run/libvirt/libvirt-sock",
];

/** Time for a daemon to answer. One that needs longer is alive. */
const PROBE_MS = 1_000;

export interface HostSocketOptions {
  /** In order of preference. */
  readonly candidates?: readonly string[];
  /** Called when another socket is chosen than the preferred one. `dead` are the sockets without a daemon. */
  readonly onSkipped?: (socket: string, dead: readonly string[]) => void;
}

/**
 * Chooses the socket of the host's libvirt daemon. A daemon that has ended leaves its socket behind, so the first socket with a
 * daemon is chosen. A daemon that is in use is not probed.
 */
export class HostSocket {
  readonly #candidates: readonly string[];
  readonly #onSkipped: NonNullable<HostSocketOptions["onSkipped"]>;
  #chosen: string | undefined;

  constructor({ candidates = STANDARD_SOCKETS, onSkipped = () => undefined }: HostSocketOptions = {}) {
    this.#candidates = candidates;
    this.#onSkipped = onSkipped;
  }

  /**
   * Resolves to the chosen socket. If no socket has a daemon, it is the first that exists.
   * @throws {TelemetryError} E_SOCKET_NOT_FOUND if none exists
   */
  async find(): Promise<string> {
    const existing: string[] = [];
    for (const path of this.#candidates) if (await isSocket(path)) existing.push(path);
    const [first] = existing;
    if (first === undefined) throw this.#notFound();
    if (this.#chosen !== undefined && existing.includes(this.#chosen)) return this.#chosen;
    if (existing.length === 1) return first;
    const dead: string[] = [];
    for (const socket of existing) {
      if (await hasDaemon(socket)) {
        if (dead.length > 0) this.#onSkipped(socket, dead);
        this.#chosen = socket;
        return socket;
      }
      dead.push(socket);
    }
    return first;
  }

  /** Must be called when no process listens on the chosen socket. The next `find` chooses again. */
  unreachable(): void {
    this.#chosen = undefined;
  }

  #notFound(): TelemetryError {
    return new TelemetryError(
      "E_SOCKET_NOT_FOUND",
      `no libvirt socket found at ${this.#candidates.join(", ")}. Start libvirtd or virtqemud, or name its socket with --libvirt-socket`,
    );
  }
}

async function isSocket(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isSocket();
  } catch {
    return false;
  }
}

/** Resolves to false if no process listens on the socket. */
async function hasDaemon(socket: string): Promise<boolean> {
  try {
    const client = await LibvirtClient.open(socket, { deadlineMs: PROBE_MS });
    client.close();
    return true;
  } catch (error) {
    return !(error instanceof LibvirtError && error.code === "E_LIBVIRT_UNREACHABLE");
  }
}

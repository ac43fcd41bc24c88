import { randomUUID } from "node:crypto";
import { mkdir, rename, rm, symlink } from "node:fs/promises";
import path from "node:path";
import { SimulatedHost } from "../../src/simulator/simulated-host.ts";
import { SimulatorServer } from "../../src/simulator/server.ts";
import { SyntheticDomain } from "../../src/simulator/synthetic-domain.ts";

const SOCKET = "virtqemud-sock";

interface LauncherPlace {
  /** The kubelet's directory of pods. */
  readonly podsDir: string;
  /** Short, because the path of a socket has at most 107 bytes. */
  readonly linksDir: string;
  readonly podUid?: string;
}

/** The files of a virt-launcher pod on its node, with a simulated daemon in this process. */
export class SimulatedLauncher implements AsyncDisposable {
  readonly podUid: string;
  readonly #place: LauncherPlace;
  readonly #host = new SimulatedHost();
  #server: SimulatorServer | undefined;

  private constructor(place: LauncherPlace) {
    this.#place = place;
    this.podUid = place.podUid ?? randomUUID();
  }

  /** Creates a pod without a daemon. */
  static async withoutDaemon(place: LauncherPlace): Promise<SimulatedLauncher> {
    const launcher = new SimulatedLauncher(place);
    await mkdir(launcher.#runtime, { recursive: true });
    await symlink(launcher.#runtime, launcher.#link);
    return launcher;
  }

  /** Starts a guest. Every `seed` is another guest, with another UUID unless it is given. */
  async boot(domain: string, seed: number, uuid?: string): Promise<void> {
    const identity = { name: domain, id: 1, ...(uuid !== undefined && { uuid }) };
    this.#host.addDomain(new SyntheticDomain(seed, { nics: 1, disks: 2, seed: 1 }, identity));
    this.#server = await SimulatorServer.start(this.#socket, this.#host);
  }

  /** Number of calls to the daemon since its start. */
  get calls(): number {
    return [...this.#host.calls.values()].reduce((sum, calls) => sum + calls, 0);
  }

  /** Makes the daemon accept calls and answer none. */
  freeze(): void {
    this.#host.freeze();
  }

  /** Ends the daemon and removes its socket. */
  async stop(): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    this.#server = undefined;
  }

  /** Ends the daemon and leaves its socket: connections are refused. */
  async crash(): Promise<void> {
    // Closing a listening socket removes its file.
    await rename(this.#socket, `${this.#socket}.left`);
    await this.stop();
    await rename(`${this.#socket}.left`, this.#socket);
  }

  /** Removes the pod, as the kubelet does. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.#link, { force: true });
    await rm(path.join(this.#place.podsDir, this.podUid), { recursive: true, force: true });
  }

  get #runtime(): string {
    const { podsDir } = this.#place;
    return path.join(podsDir, this.podUid, "volumes/kubernetes.io~empty-dir/libvirt-runtime");
  }

  get #link(): string {
    return path.join(this.#place.linksDir, this.podUid);
  }

  get #socket(): string {
    return path.join(this.#link, SOCKET);
  }
}

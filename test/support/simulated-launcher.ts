import { randomUUID } from "node:crypto";
import { mkdir, rename, rm, symlink } from "node:fs/promises";
import path from "node:path";
import { SimulatedHost } from "../../src/simulator/simulated-host.ts";
import { SimulatorServer } from "../../src/simulator/server.ts";
import { SyntheticDomain } from "../../src/simulator/synthetic-domain.ts";

const SOCKET = "virtqemud-sock";

interface LauncherPlace {
  /** The kubelet's, in which the pod's directory is made. */
  readonly podsDir: string;
  /** A short one, because the path of no socket has more than 107 bytes. */
  readonly linksDir: string;
  readonly podUid?: string;
}

/** A virt-launcher pod as its node sees it, with a simulated daemon in this process. */
export class SimulatedLauncher implements AsyncDisposable {
  readonly podUid: string;
  readonly #place: LauncherPlace;
  readonly #host = new SimulatedHost();
  #server: SimulatorServer | undefined;

  private constructor(place: LauncherPlace) {
    this.#place = place;
    this.podUid = place.podUid ?? randomUUID();
  }

  /** A pod in which no daemon has started. */
  static async withoutDaemon(place: LauncherPlace): Promise<SimulatedLauncher> {
    const launcher = new SimulatedLauncher(place);
    await mkdir(launcher.#runtime, { recursive: true });
    await symlink(launcher.#runtime, launcher.#link);
    return launcher;
  }

  /** One whose guest runs. Every `seed` is another guest. */
  async boot(domain: string, seed: number): Promise<void> {
    this.#host.add(new SyntheticDomain(seed, { nics: 1, disks: 2, seed: 1 }, { name: domain, id: 1 }));
    this.#server = await SimulatorServer.start(this.#socket, this.#host);
  }

  /** Calls that the daemon was asked for since it started. */
  get calls(): number {
    return [...this.#host.calls.values()].reduce((sum, calls) => sum + calls, 0);
  }

  /** The daemon takes calls and answers none. */
  freeze(): void {
    this.#host.freeze();
  }

  /** The daemon ends and takes its socket with it. */
  async stop(): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    this.#server = undefined;
  }

  /** The daemon is gone and its socket is not: connections are refused. */
  async crash(): Promise<void> {
    // Whoever closes a listening socket removes it.
    await rename(this.#socket, `${this.#socket}.left`);
    await this.stop();
    await rename(`${this.#socket}.left`, this.#socket);
  }

  /** The kubelet removes the pod. */
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

import { spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { chownSync, mkdtempSync, rmSync } from "node:fs";
import { chown, link, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { diskXml, domainXml, nicXml } from "./guest-xml.ts";
import { end, run, until } from "./process.ts";

/** KubeVirt's user `qemu`, which runs a virt-launcher and its libvirt daemon. */
export const LAUNCHER_UID = 107;

const QEMU_CONF = `security_driver = "none"
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
`;

/**
 * Sets up what a container would have: the user's name, a /dev/net/tun that it may open, a network with the guest's tap. Then the
 * daemon replaces the shell.
 */
const POD = `set -e
mount --bind "$DIR/passwd" /etc/passwd
mount -t tmpfs tmpfs /dev/net
mknod -m 666 /dev/net/tun c 10 200
mount -t sysfs sysfs /sys
ip tuntap add tap0 mode tap user ${LAUNCHER_UID}
ip link set tap0 up
exec setpriv --reuid ${LAUNCHER_UID} --regid 0 --clear-groups env -i PATH="$PATH" HOME="$DIR" \\
  XDG_RUNTIME_DIR="$DIR" XDG_CONFIG_HOME="$DIR/config" XDG_CACHE_HOME="$CACHE" \\
  libvirtd -f "$DIR/libvirtd.conf" -p "$DIR/libvirtd.pid"
`;

export interface LauncherOptions {
  /** The kubelet's directory of pods. */
  readonly podsDir: string;
  /** KubeVirt before 0.59 has a libvirtd. */
  readonly socketName?: "virtqemud-sock" | "libvirt-sock";
}

export interface LauncherGuest {
  readonly namespace: string;
  readonly name: string;
  readonly memoryMiB?: number;
  readonly paused?: boolean;
}

/**
 * A virt-launcher pod on its node: a session daemon of uid 107 with its socket in the pod's volume `libvirt-runtime`, and its
 * guest. Disposal removes everything.
 */
export class Launcher implements AsyncDisposable {
  readonly podUid = randomUUID();
  readonly #podDir: string;
  /** Short, because libvirt makes sockets in it, whose paths have at most 107 bytes. */
  readonly #dir: string;
  readonly #options: LauncherOptions;
  #daemon: ChildProcess | undefined;

  private constructor(options: LauncherOptions, dir: string) {
    this.#options = options;
    this.#dir = dir;
    this.#podDir = path.join(options.podsDir, this.podUid);
  }

  static async start(options: LauncherOptions): Promise<Launcher> {
    const launcher = new Launcher(options, await mkdtemp(path.join(tmpdir(), "l")));
    try {
      await launcher.#prepare();
      await launcher.startDaemon();
      return launcher;
    } catch (error) {
      await launcher[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** URI for virsh. */
  get uri(): string {
    return `qemu+unix:///session?socket=${this.#dir}/libvirt/libvirt-sock`;
  }

  virsh(...args: string[]): Promise<string> {
    return run("virsh", "-q", "-c", this.uri, ...args);
  }

  async startDaemon(): Promise<void> {
    this.#daemon = spawn("unshare", ["--net", "--mount", "sh", "-c", POD], {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, DIR: this.#dir, CACHE: cacheDirectory(), G_DEBUG: "" },
    });
    await until(() => this.virsh("capabilities"), "the launcher's daemon to answer");
    const { socketName = "virtqemud-sock" } = this.#options;
    if (socketName === "libvirt-sock") return;
    // A second name of the same socket: the agent rejects a symbolic link.
    const runtime = this.#volume("libvirt-runtime");
    await rm(path.join(runtime, socketName), { force: true });
    await link(path.join(runtime, "libvirt-sock"), path.join(runtime, socketName));
  }

  /** Starts the guest under its name in KubeVirt, with a volume `rootdisk`, a network `default` and a cloud-init drive. */
  async createGuest({ namespace, name, memoryMiB = 24, paused = false }: LauncherGuest): Promise<string> {
    const domain = `${namespace}_${name}`;
    const disk = await this.#image("rootdisk");
    const devices = diskXml(disk, "vda", "ua-rootdisk") + nicXml("tap0", "ua-default");
    const file = path.join(this.#dir, "domain.xml");
    await writeFile(
      file,
      domainXml(domain, {
        memoryMiB,
        vcpus: 1,
        taps: [],
        disks: [],
        devices: devices + cloudInitXml(await this.#image("cloudinit")),
        // The form of KubeVirt since 0.59, without the UID.
        metadata: '<kubevirt xmlns="http://kubevirt.io"><uid></uid></kubevirt>',
      }),
    );
    await this.virsh("create", file, ...(paused ? ["--paused"] : []));
    return domain;
  }

  /** Migrates live as KubeVirt does, from daemon to daemon. Resolves when the guest runs only there. */
  async migrate(domain: string, to: Launcher, { mibPerSecond = 1_000 } = {}): Promise<void> {
    const socket = `unix://${to.#dir}/libvirt/migration.sock`;
    const options = ["--live", "--p2p", "--unsafe", "--bandwidth", String(mibPerSecond), "--migrateuri", socket];
    await this.virsh("migrate", ...options, domain, to.uri);
  }

  /** Stops the daemon's process: it keeps its socket and answers nothing. */
  freezeDaemon(): void {
    this.#daemon?.kill("SIGSTOP");
  }

  thawDaemon(): void {
    this.#daemon?.kill("SIGCONT");
  }

  /** Marks the launcher as given up, as virt-handler does when it does not answer. */
  async markUnresponsive(): Promise<void> {
    await writeFile(path.join(this.#volume("sockets"), "launcher-unresponsive"), "");
  }

  /** Ends the daemon and the guest, as when a VM is stopped; the pod's directory stays, with a socket without a listener. */
  async end(): Promise<void> {
    if (this.#daemon === undefined) return;
    await end(this.#daemon, "SIGKILL");
    this.#daemon = undefined;
    for (const pid of await this.#guests()) {
      const kill = (): true | undefined => {
        try {
          process.kill(pid, "SIGKILL");
          return undefined;
        } catch {
          return true;
        }
      };
      await until(() => Promise.resolve(kill()), "the guest to end");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
    await rm(this.#podDir, { recursive: true, force: true, maxRetries: 5 });
    await rm(this.#dir, { recursive: true, force: true, maxRetries: 5 });
  }

  async #prepare(): Promise<void> {
    const runtime = this.#volume("libvirt-runtime");
    await mkdir(this.#podDir, { mode: 0o750 });
    for (const directory of [runtime, this.#volume("sockets"), `${this.#dir}/config/libvirt`])
      await mkdir(directory, { recursive: true });
    // Root creates them, and the launcher uses them.
    for (const directory of [runtime, this.#dir, `${this.#dir}/config`, `${this.#dir}/config/libvirt`])
      await chown(directory, LAUNCHER_UID, 0);
    await symlink(runtime, path.join(this.#dir, "libvirt"));
    const passwd = await readFile("/etc/passwd", "utf8");
    const files = {
      passwd: `${passwd}launcher:x:${LAUNCHER_UID}:0::${this.#dir}:/bin/false\n`,
      // With the same host UUID, two daemons would reject a migration between them.
      "libvirtd.conf": `host_uuid = "${this.podUid}"\nlog_outputs = "3:file:${this.#dir}/libvirtd.log"\n`,
      "config/libvirt/qemu.conf": QEMU_CONF,
    };
    for (const [name, text] of Object.entries(files)) await writeFile(path.join(this.#dir, name), text);
  }

  async #image(name: string): Promise<string> {
    const file = path.join(this.#dir, `${name}.raw`);
    await run("truncate", "--size", "1M", file);
    await chown(file, LAUNCHER_UID, 0);
    return file;
  }

  /** Returns the processes of running guests. */
  async #guests(): Promise<readonly number[]> {
    const directory = path.join(this.#dir, "libvirt/qemu/run");
    const files = (await readdir(directory).catch(() => [])).filter(
      (file) => file.endsWith(".pid") && file !== "driver.pid",
    );
    return Promise.all(files.map(async (file) => Number(await readFile(path.join(directory, file), "utf8"))));
  }

  #volume(name: string): string {
    return path.join(this.#podDir, "volumes/kubernetes.io~empty-dir", name);
  }
}

let cache: string | undefined;

/** The daemons of a test share their cache of QEMU's capabilities, which takes seconds to fill. */
function cacheDirectory(): string {
  if (cache === undefined) {
    const made = mkdtempSync(path.join(tmpdir(), "libvirt-cache-"));
    chownSync(made, LAUNCHER_UID, 0);
    process.once("exit", () => {
      rmSync(made, { recursive: true, force: true });
    });
    cache = made;
  }
  return cache;
}

function cloudInitXml(file: string): string {
  return `
    <disk type='file' device='cdrom'>
      <source file='${file}'/><target dev='sda' bus='sata'/><readonly/><alias name='ua-cloudinitdisk'/>
    </disk>`;
}

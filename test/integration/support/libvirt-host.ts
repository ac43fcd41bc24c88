import { spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtemp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { domainXml, type GuestOptions } from "./guest-xml.ts";
import { end, run, until } from "./process.ts";

const QEMU_CONF = `
security_driver = "none"
user = "root"
group = "root"
namespaces = []
stdio_handler = "file"
`;

/** Directories that are compiled into libvirtd; every host has its own, in a mount namespace. */
const PRIVATE_DIRECTORIES = [
  "/etc/libvirt",
  "/run/libvirt",
  "/var/lib/libvirt",
  "/var/cache/libvirt",
  "/var/log/libvirt",
];

let hosts = 0;

/** A real libvirtd with its own sockets, state and guests. Disposal removes everything. */
export class LibvirtHost implements AsyncDisposable {
  readonly dir: string;
  /** The read-only socket, the only one that the agent needs. */
  readonly socket: string;
  readonly #readWriteSocket: string;
  readonly #namespace: ChildProcess;
  readonly #taps = new Set<string>();
  readonly #prefix: string;
  #daemon: ChildProcess | undefined;

  private constructor(dir: string, namespace: ChildProcess) {
    this.dir = dir;
    this.socket = path.join(dir, "libvirt-sock-ro");
    this.#readWriteSocket = path.join(dir, "libvirt-sock");
    this.#namespace = namespace;
    this.#prefix = `kt${(process.pid % 46_656).toString(36)}${hosts++}`;
  }

  /** Without cgroups the daemon cannot read CPU times from them, like a session daemon of KubeVirt. */
  static async start({ cgroups = false } = {}): Promise<LibvirtHost> {
    const dir = await mkdtemp(path.join(tmpdir(), "libvirt-"));
    const mounts = PRIVATE_DIRECTORIES.map((at) => `mkdir -p ${at} && mount -t tmpfs tmpfs ${at}`).join(" && ");
    const namespace = spawn("unshare", ["--mount", "sh", "-c", `${mounts} && echo ready && exec sleep infinity`], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const host = new LibvirtHost(dir, namespace);
    try {
      await new Promise((resolve, reject) => {
        namespace.stdout.once("data", resolve);
        namespace.once("exit", () => {
          reject(new Error("no mount namespace; are you root?"));
        });
      });
      await writeFile(
        path.join(dir, "libvirtd.conf"),
        // With the same host UUID, two daemons would reject a migration between them.
        `host_uuid = "${randomUUID()}"\nunix_sock_dir = "${dir}"\nauth_unix_ro = "none"\nauth_unix_rw = "none"\nlog_outputs = "3:file:${dir}/libvirtd.log"\n`,
      );
      await writeFile(path.join(dir, "qemu.conf"), QEMU_CONF + (cgroups ? "" : "cgroup_controllers = []\n"));
      await host.#inside("cp", path.join(dir, "qemu.conf"), "/etc/libvirt/qemu.conf");
      await host.startDaemon();
      return host;
    } catch (error) {
      await host[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** For clients with all rights. */
  get uri(): string {
    return `qemu+unix:///system?socket=${this.#readWriteSocket}`;
  }

  get daemonPid(): number {
    if (this.#daemon?.pid === undefined) throw new Error("the daemon is not running");
    return this.#daemon.pid;
  }

  async startDaemon(): Promise<void> {
    const command = ["libvirtd", "-f", path.join(this.dir, "libvirtd.conf"), "-p", path.join(this.dir, "libvirtd.pid")];
    this.#daemon = spawn("nsenter", ["--target", String(this.#namespace.pid), "--mount", ...command], {
      stdio: "ignore",
    });
    // On the first call for capabilities a new daemon tries every QEMU binary for seconds. This happens here, not in a test.
    await until(() => this.virsh("capabilities"), "libvirtd to answer");
  }

  /** Sends SIGTERM, as a service manager does; the guests keep running. */
  async stopDaemon(): Promise<void> {
    if (this.#daemon !== undefined) await end(this.#daemon);
    this.#daemon = undefined;
  }

  /** Makes a user of another host known to the daemon, which looks up the user of each client. `entry` is a line of its passwd. */
  async addUser(entry: string): Promise<void> {
    const file = path.join(this.dir, "passwd");
    await writeFile(file, `${await this.#inside("cat", "/etc/passwd")}${entry}\n`);
    await this.#inside("mount", "--bind", file, "/etc/passwd");
  }

  virsh(...args: string[]): Promise<string> {
    return run("virsh", "-q", "-c", this.uri, ...args);
  }

  /** Resolves to the `virsh domstats` of a domain, as text. */
  async domstats(name: string): Promise<ReadonlyMap<string, string>> {
    const fields = (await this.virsh("domstats", name)).matchAll(/^\s+([^=\s]+)=(.*)$/gm);
    return new Map([...fields].map(([, field = "", value = ""]) => [field, value]));
  }

  /** Starts a guest; creates its disks beside the daemon's files, and its taps on this machine. */
  async createGuest(
    name: string,
    options: Partial<GuestOptions> & { readonly paused?: boolean } = {},
  ): Promise<GuestOptions> {
    const guest = await this.#prepare(name, options);
    const file = path.join(this.dir, `${name}.xml`);
    await writeFile(file, domainXml(name, guest));
    await this.virsh("create", file, ...(options.paused === false ? [] : ["--paused"]));
    return guest;
  }

  /** Plugs a device into a running guest. */
  async attach(name: string, deviceXml: string): Promise<void> {
    const file = path.join(this.dir, `${name}-device.xml`);
    await writeFile(file, deviceXml);
    await this.virsh("attach-device", name, file, "--live");
  }

  /** Unplugs a device by its alias; the guest must run to release it. */
  async detach(name: string, alias: string): Promise<void> {
    await this.virsh("detach-device-alias", name, alias, "--live");
    await until(
      async () => !(await this.virsh("dumpxml", name)).includes(`'${alias}'`) || undefined,
      `${name} to release ${alias}`,
    );
  }

  /** Resolves to the number of the daemon's busy workers. */
  async busyWorkers(): Promise<number> {
    const pool = await this.admin("srv-threadpool-info", "libvirtd");
    const value = (field: string): number => Number(new RegExp(`^${field}\\s*:\\s*(\\d+)`, "m").exec(pool)?.[1]);
    return value("nWorkers") - value("freeWorkers");
  }

  /** Runs a command of libvirt's client for the daemon itself. */
  admin(...args: readonly string[]): Promise<string> {
    const uri = `libvirtd:///system?socket=${path.join(this.dir, "libvirt-admin-sock")}`;
    return run("virt-admin", "-q", "-c", uri, ...args);
  }

  /** From now on `commands` has what the daemon sends to QEMU. */
  async logCommands(): Promise<void> {
    await this.admin("daemon-log-filters", "1:qemu.qemu_monitor");
    await this.admin("daemon-log-outputs", `1:file:${this.dir}/libvirtd.log`);
  }

  /** Resolves to the names of the commands that the daemon has sent to QEMU, in their order. */
  async commands(): Promise<readonly string[]> {
    return [...(await this.log()).matchAll(/QEMU_MONITOR_SEND_MSG: .*msg=\{"execute":"([^"]+)"/g)].map(
      ([, name = ""]) => name,
    );
  }

  async domainId(name: string): Promise<number> {
    return Number(await this.virsh("domid", name));
  }

  /** Returns the process of a running guest. */
  async qemuPid(name: string): Promise<number> {
    return Number(await this.#inside("cat", `/run/libvirt/qemu/${name}.pid`));
  }

  async log(): Promise<string> {
    return readFile(path.join(this.dir, "libvirtd.log"), "utf8");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Without the daemon nothing lists the guests, so their processes are found by their open files.
    const list = "for file in /run/libvirt/qemu/*.pid; do [ -e $file ] && cat $file && echo; done; true";
    const pids = (await this.#inside("sh", "-c", list)).split("\n").map(Number).filter(Boolean);
    const cgroups = await Promise.all(pids.map(cgroupOf));
    await this.stopDaemon();
    for (const pid of pids) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has already ended.
      }
    }
    for (const cgroup of cgroups) if (cgroup !== undefined) await removeCgroup(cgroup);
    await end(this.#namespace, "SIGKILL");
    for (const tap of this.#taps) await run("ip", "link", "delete", tap).catch(() => undefined);
    await rm(this.dir, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Creates a tap device on this machine; disposal removes it. */
  async createTap(): Promise<string> {
    const tap = `${this.#prefix}t${this.#taps.size}`;
    await run("ip", "tuntap", "add", tap, "mode", "tap");
    this.#taps.add(tap);
    await run("ip", "link", "set", tap, "up");
    return tap;
  }

  /** Creates an empty disk image. */
  async createDisk(name: string, bytes: number): Promise<string> {
    const file = path.join(this.dir, "disks", `${name}.raw`);
    await mkdir(path.dirname(file), { recursive: true });
    await run("truncate", "--size", String(bytes), file);
    return file;
  }

  /** Creates a chain of `images` qcow2 images, on top of `base` if given; resolves to the newest. */
  async createChain(name: string, images: number, base?: string): Promise<string> {
    const dir = path.join(this.dir, "disks", name);
    await mkdir(dir, { recursive: true });
    let top = base;
    for (let image = 0; image < images; image++) {
      const file = path.join(dir, `${image}.qcow2`);
      const backing = top === undefined ? [] : ["-u", "-F", "qcow2", "-b", top];
      await run("qemu-img", "create", "-q", "-f", "qcow2", ...backing, file, "1M");
      top = file;
    }
    if (top === undefined) throw new Error("a chain has at least one image");
    return top;
  }

  async #prepare(name: string, options: Partial<GuestOptions>): Promise<GuestOptions> {
    return {
      memoryMiB: 24,
      vcpus: 1,
      taps: options.taps ?? [await this.createTap()],
      disks: options.disks ?? [await this.createDisk(name, 1024 * 1024)],
      ...options,
    };
  }

  #inside(...command: string[]): Promise<string> {
    return run("nsenter", "--target", String(this.#namespace.pid), "--mount", ...command);
  }
}

/** Returns the cgroup that libvirtd created for a guest in every hierarchy; undefined if it created none. */
async function cgroupOf(pid: number): Promise<string | undefined> {
  const own = await readFile(`/proc/${pid}/cgroup`, "utf8").catch(() => "");
  return /\/machine\/[^/\n]+\.libvirt-qemu/.exec(own)?.[0];
}

/** Removes a guest's cgroup, as libvirtd does for a guest that it ends. A cgroup with another host's guest stays. */
async function removeCgroup(cgroup: string): Promise<void> {
  const remove = ["find", "/sys/fs/cgroup", "-depth", "-type", "d", "-path", `*${cgroup}*`, "-delete"] as const;
  await until(() => run(...remove), `the processes of ${cgroup} to end`, 5_000).catch(() => undefined);
}

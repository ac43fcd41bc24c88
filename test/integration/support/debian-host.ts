import { spawn, type ChildProcess } from "node:child_process";
import { readFile } from "node:fs/promises";
import { debianRootPath } from "../../../scripts/provision/cache.ts";
import { end, run, until } from "./process.ts";

export interface DebianHostOptions {
  /** Path on this machine -> path in the host. */
  readonly binds: Readonly<Record<string, string>>;
}

/** A small Debian that systemd has booted, with the network of this machine. Disposal removes all its changes. */
export class DebianHost implements AsyncDisposable {
  readonly #container: ChildProcess;
  readonly #init: number;

  private constructor(container: ChildProcess, init: number) {
    this.#container = container;
    this.#init = init;
  }

  static async boot({ binds }: DebianHostOptions): Promise<DebianHost> {
    const args = ["--quiet", "--register=no", "--keep-unit", "--volatile=overlay", "--directory", debianRootPath()];
    const mounts = Object.entries(binds).map(([from, to]) => `--bind-ro=${from}:${to}`);
    // It ends its guest in order at SIGTERM.
    const container = spawn("systemd-nspawn", [...args, ...mounts, "--boot"], { stdio: "ignore" });
    try {
      const init = await until(() => childOf(container), "the host to start");
      const host = new DebianHost(container, init);
      await until(async () => (await host.run("systemctl", "is-active", "multi-user.target")) || undefined, "systemd");
      return host;
    } catch (error) {
      await end(container);
      throw error;
    }
  }

  /** Runs a command in the host to its end, as root; resolves to its output. */
  run(...command: string[]): Promise<string> {
    const inside = ["--target", String(this.#init), "--mount", "--uts", "--ipc", "--pid", "--cgroup"];
    return run("nsenter", ...inside, "env", "--ignore-environment", "PATH=/usr/sbin:/usr/bin", ...command);
  }

  /** Resolves to a property of a unit. */
  async property(unit: string, name: string): Promise<string> {
    return (await this.run("systemctl", "show", unit, "--property", name, "--value")).trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#container);
  }
}

async function childOf({ pid }: ChildProcess): Promise<number | undefined> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  return Number(children.trim()) || undefined;
}

import { execFileSync } from "node:child_process";
import { cpus, loadavg, release, totalmem } from "node:os";
import { telegrafPath } from "../scripts/provision/cache.ts";

/** What the figures depend on, name -> text. */
export function describeMachine(): Readonly<Record<string, string>> {
  const { length } = cpus();
  const gib = Math.round(totalmem() / 1024 ** 3);
  return {
    machine: `${length} CPUs (${cpus()[0]?.model.trim() ?? "unknown"}), ${gib} GiB, Linux ${release()}`,
    libvirt: firstLine("libvirtd", "--version"),
    QEMU: firstLine("qemu-system-x86_64", "--version"),
    Node: process.version,
    Telegraf: firstLine(telegrafPath(), "--version"),
    Python: firstLine("/usr/bin/python3", "--version"),
  };
}

/** Processes that wanted a CPU, on average over the last minute. */
export function load(): number {
  return loadavg()[0] ?? 0;
}

function firstLine(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: "utf8" }).split("\n")[0]?.trim() ?? "";
}

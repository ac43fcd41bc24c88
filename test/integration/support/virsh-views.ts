import { readFile } from "node:fs/promises";
import type { LibvirtHost } from "./libvirt-host.ts";
import { run } from "./process.ts";

/**
 * What virsh and the kernel show at one moment: `COMMAND NAME` -> value, such as `domstats balloon.current`. Values of a part of
 * the guest have its name or number too: `vcpuinfo 0 CPU`.
 */
export type Views = ReadonlyMap<string, string>;

/** Commands of virsh that print `NAME: VALUE` or `NAME VALUE` lines about a guest, or about the node if they have no guest. */
const OF_GUEST = ["dominfo", "dommemstat"];
const OF_NODE = ["nodeinfo", "nodecpustats", "nodememstats"];
/** Commands whose whole output is a value. */
const WHOLE = [
  ["list", "--name"],
  ["list", "--name", "--state-paused"],
  ["list", "--name", "--state-running"],
] as const;
const WHOLE_OF_GUEST = [["domcontrol"], ["domstate", "--reason"], ["dumpxml"]] as const;

/** Resolves to what is shown about a guest, its QEMU, the node and the process of an agent. */
export async function readViews(host: LibvirtHost, guest: string, agentPid: number): Promise<Views> {
  const views = new Map<string, string>();
  for (const [name, value] of await host.domstats(guest)) views.set(`domstats ${name}`, value);
  for (const command of OF_GUEST) take(views, command, await host.virsh(command, guest));
  for (const command of OF_NODE) take(views, command, await host.virsh(command));
  take(views, "version", await host.virsh("version", "--daemon"));
  for (const [what, ...args] of WHOLE) views.set([what, ...args].join(" "), (await host.virsh(what, ...args)).trim());
  for (const [what, ...args] of WHOLE_OF_GUEST) views.set(what, (await host.virsh(what, guest, ...args)).trim());
  await takeParts(views, host, guest);
  await takeProcesses(views, agentPid, await host.qemuPid(guest));
  return views;
}

/** Takes the vCPUs and the devices. */
async function takeParts(views: Map<string, string>, host: LibvirtHost, guest: string): Promise<void> {
  for (const text of (await host.virsh("vcpuinfo", guest)).split("\n\n"))
    take(views, `vcpuinfo ${/^VCPU: *(\d+)/m.exec(text)?.[1]}`, text);
  take(views, "vcpupin", await host.virsh("vcpupin", guest));
  for (const [, kind = "", device = ""] of tableRows(await host.virsh("domblklist", guest, "--details"))) {
    views.set(`domblklist ${device}`, kind);
    if (kind !== "disk") continue;
    for (const command of ["domblkinfo", "blkdeviotune"])
      take(views, `${command} ${device}`, await host.virsh(command, guest, device));
  }
  for (const [device = "", ...cells] of tableRows(await host.virsh("domiflist", guest))) {
    for (const [index, name] of ["kind", "source", "model", "mac"].entries())
      views.set(`domiflist ${device} ${name}`, cells[index] ?? "");
    const link = (await host.virsh("domif-getlink", guest, device)).trim().split(" ").at(-1);
    views.set(`domif-getlink ${device}`, link ?? "");
  }
}

async function takeProcesses(views: Map<string, string>, agentPid: number, qemuPid: number): Promise<void> {
  take(views, "agent", await readFile(`/proc/${agentPid}/status`, "utf8"));
  const [user, system] = (await readFile(`/proc/${agentPid}/stat`, "utf8"))
    .replace(/^.*\) /, "")
    .split(" ")
    .slice(11);
  // The kernel counts hundredths of a second.
  views.set("agent cpu_ms", String(10 * (Number(user) + Number(system))));
  const ageS = Number(await run("ps", "-o", "etimes=", "-p", String(qemuPid)));
  views.set("qemu started_s", String(Math.floor(Date.now() / 1000) - ageS));
}

/** Takes `NAME: VALUE` lines, or `NAME VALUE` lines if the text has no colon. */
function take(views: Map<string, string>, prefix: string, text: string): void {
  const pattern = text.includes(":") ? /^[ \t]*([^:\n]+?)[ \t]*:[ \t]*(\S.*?)[ \t]*$/gm : /^ *(\S+) +(\S.*?) *$/gm;
  for (const [, name = "", value = ""] of text.matchAll(pattern)) views.set(`${prefix} ${name}`, value);
}

/** Returns the cells of the rows of a table. */
function tableRows(text: string): readonly (readonly string[])[] {
  return text
    .split("\n")
    .map((line) => line.trim().split(/ {2,}/))
    .filter(({ length }) => length > 1);
}

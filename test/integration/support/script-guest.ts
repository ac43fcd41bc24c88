import { open, readFile } from "node:fs/promises";
import path from "node:path";
import { kernelPath } from "../../../scripts/provision/cache.ts";
import type { GuestOptions } from "./guest-xml.ts";
import type { LibvirtHost } from "./libvirt-host.ts";
import { guestInitrd } from "./working-guest.ts";

/** The driver through which a guest reports its panic, and that of the channel of a guest agent. */
const MORE_MODULES = ["pvpanic", "pvpanic-mmio", "virtio_console"];
const SCRIPT_BYTES = 4_096;
const MIB = 1024 * 1024;

/** Each boot runs the script that is then in the first bytes of vda. */
const INIT = `${MORE_MODULES.map((module) => `insmod /modules/${module}.ko`).join("\n")}
dd if=/dev/vda of=/script bs=${SCRIPT_BYTES} count=1
sh /script
while true; do sleep 3600; done
`;

/** A guest that runs a script, which a test can replace before a reset. */
export interface ScriptGuest {
  /** Replaces the script of the next boot. */
  setScript(script: string): Promise<void>;
  /** What the guest has written to its console. */
  console(): Promise<string>;
}

/** Creates a guest with a disk for its script, and with others. It is paused before its first instruction. */
export async function createScriptGuest(
  host: LibvirtHost,
  name: string,
  script: string,
  { disks = [], ...options }: Partial<GuestOptions> = {},
): Promise<ScriptGuest> {
  const dir = path.join(host.dir, name);
  const initrd = await guestInitrd(dir, INIT, MORE_MODULES);
  const console = path.join(dir, "console");
  const vda = await host.createDisk(`${name}-script`, 4 * MIB);
  const setScript = async (text: string): Promise<void> => {
    const file = await open(vda, "r+");
    await file.write(Buffer.from(text.padEnd(SCRIPT_BYTES, "\n")), 0, SCRIPT_BYTES, 0);
    await file.close();
  };
  await setScript(script);
  const boot = { kernel: kernelPath(), initrd, console };
  await host.createGuest(name, { memoryMiB: 96, taps: [], disks: [vda, ...disks], boot, ...options });
  return { setScript, console: () => readFile(console, "utf8") };
}

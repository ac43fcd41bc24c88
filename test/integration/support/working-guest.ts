import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { kernelPath } from "../../../scripts/provision/cache.ts";
import type { LibvirtHost } from "./libvirt-host.ts";
import { run, until } from "./process.ts";

/** The guest's work, which makes its counters predictable. */
export const WORK = {
  writeRequests: 256,
  writeBytes: 1_048_576,
  readRequests: 128,
  readBytes: 524_288,
  pings: 10,
} as const;

/** Kernel modules in the order of their dependencies. */
const MODULES = [
  "virtio_ring",
  "virtio",
  "virtio_pci_legacy_dev",
  "virtio_pci_modern_dev",
  "virtio_pci",
  "virtio_balloon",
  "virtio_blk",
  "failover",
  "net_failover",
  "virtio_net",
];

/**
 * Documentation addresses, which no real network uses; some sandboxes use 192.0.2.0/24. Each process has a /30 of its own:
 * with the same one on two taps the answers for one guest leave through the tap of the other.
 */
const NETWORK = 4 * (process.pid % 64);
const HOST_ADDRESS = `198.51.100.${NETWORK + 1}`;
const GUEST_ADDRESS = `198.51.100.${NETWORK + 2}`;

const BOOT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in ${MODULES.join(" ")}; do insmod /modules/$module.ko; done
sleep 1
`;

const INIT = `ip link set eth0 up
ip addr add ${GUEST_ADDRESS}/30 dev eth0
dd if=/dev/zero of=/dev/vda bs=4096 count=${WORK.writeRequests} oflag=direct
dd if=/dev/vdb of=/dev/null bs=4096 count=${WORK.readRequests} iflag=direct
ping -c ${WORK.pings} -i 0.1 ${HOST_ADDRESS}
echo WORK DONE
while true; do sleep 3600; done
`;

/**
 * Boots a guest that writes to vda, reads from vdb, pings the host and then sleeps; resolves when its work is done. The kernel
 * reads new disks by itself, so vda and vdb have some more reads.
 */
export async function bootWorkingGuest(host: LibvirtHost, name: string): Promise<{ readonly tap: string }> {
  const dir = path.join(host.dir, name);
  const initrd = await guestInitrd(dir, INIT);
  const tap = await host.createTap();
  await run("sysctl", "-q", "-w", `net.ipv6.conf.${tap}.disable_ipv6=1`).catch(() => undefined);
  await run("ip", "address", "add", `${HOST_ADDRESS}/30`, "dev", tap);
  const console = path.join(dir, "console");
  await host.createGuest(name, {
    paused: false,
    memoryMiB: 96,
    taps: [tap],
    disks: [await host.createDisk(`${name}-a`, 4 * 1024 * 1024), await host.createDisk(`${name}-b`, 4 * 1024 * 1024)],
    cdrom: true,
    boot: { kernel: kernelPath(), initrd, console },
  });
  try {
    await until(
      async () => (await readFile(console, "utf8")).includes("WORK DONE") || undefined,
      "the guest's work",
      180_000,
    );
  } catch (error) {
    throw new Error(`the guest did not do its work; its console: ${(await readFile(console, "utf8")).slice(-2_000)}`, {
      cause: error,
    });
  }
  // Without this the host would send ARP requests some seconds later, which would change the counters.
  await run("ip", "address", "flush", "dev", tap);
  return { tap };
}

/**
 * Writes the first file system of a guest, which has its drivers and then runs `script`; resolves to its path. It also has
 * these kernel modules in `/modules`.
 */
export async function guestInitrd(dir: string, script: string, more: readonly string[] = []): Promise<string> {
  const root = path.join(dir, "root");
  for (const directory of ["bin", "proc", "sys", "dev", "modules"])
    await mkdir(path.join(root, directory), { recursive: true });
  await run("cp", "/bin/busybox", path.join(root, "bin/busybox"));
  for (const module of [...MODULES, ...more])
    await run("cp", path.join(path.dirname(kernelPath()), "modules", `${module}.ko`), path.join(root, "modules/"));
  await writeFile(path.join(root, "init"), BOOT + script, { mode: 0o755 });
  const initrd = path.join(dir, "initrd");
  await run("sh", "-c", `cd ${root} && find . | cpio --quiet -o -H newc | gzip -1 > ${initrd}`);
  return initrd;
}

import { copyFile, mkdir, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { kernelPath } from "../../../../scripts/provision/cache.ts";
import { guestInitrd } from "../working-guest.ts";
import { dockerArchive } from "./image-archive.ts";

export const LAUNCHER_IMAGE = "localhost/virt-launcher:1";
/** KubeVirt's user `qemu`. */
export const LAUNCHER_UID = 107;
/** Where a guest of the image boots from. */
export const BOOT = { kernel: "/boot/vmlinuz", initrd: "/boot/initrd" } as const;

/** A guest that writes a little to its first disk all the time. */
const GUEST = `ip link set eth0 up
while true; do
  dd if=/dev/urandom of=/dev/vda bs=4096 count=8 oflag=direct
  sleep 1
done
`;

/**
 * Writes the archive of an image with the files of a virt-launcher that are not in /usr: a launcher mounts the machine's, which has
 * Debian's libvirt and QEMU. Resolves to the path of the archive.
 */
export async function launcherArchive(directory: string): Promise<string> {
  const work = path.join(directory, "virt-launcher");
  const root = path.join(work, "root");
  for (const name of ["etc", "usr", "boot", "tmp", "var/run"]) await mkdir(path.join(root, name), { recursive: true });
  for (const name of ["bin", "sbin", "lib", "lib64"]) await symlink(`usr/${name}`, path.join(root, name));
  await writeFile(path.join(root, "etc/passwd"), `root:x:0:0::/:\nqemu:x:${LAUNCHER_UID}:${LAUNCHER_UID}::/:\n`);
  await writeFile(path.join(root, "etc/group"), `root:x:0:\nqemu:x:${LAUNCHER_UID}:\n`);
  await copyFile(kernelPath(), path.join(root, BOOT.kernel));
  await copyFile(await guestInitrd(path.join(work, "guest"), GUEST), path.join(root, BOOT.initrd));
  return dockerArchive(work, LAUNCHER_IMAGE);
}

/** The parts of a test guest. Without a kernel it stays in its firmware. */
export interface GuestOptions {
  readonly memoryMiB: number;
  readonly vcpus: number;
  readonly taps: readonly string[];
  /** Raw image files: vda, vdb, ... */
  readonly disks: readonly string[];
  /** Whether it has an empty CD-ROM drive. */
  readonly cdrom?: boolean;
  /** False for a guest without memory statistics in libvirt. */
  readonly balloon?: boolean;
  readonly uuid?: string;
  /** XML of additional devices. */
  readonly devices?: string;
  /** XML of the domain's metadata. */
  readonly metadata?: string;
  /** XML of the domain's `<cputune>`. */
  readonly cputune?: string;
  readonly type?: "kvm" | "qemu";
  readonly boot?: { readonly kernel: string; readonly initrd: string; readonly console: string };
}

/** Returns the XML of a disk of an image file. `alias` is a user alias, with `ua-`. */
export function diskXml(file: string, target: string, alias?: string): string {
  return `
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/><source file='${file}'/><target dev='${target}' bus='virtio'/>${aliasXml(alias)}
    </disk>`;
}

export function nicXml(tap: string, alias?: string): string {
  return `
    <interface type='ethernet'><target dev='${tap}' managed='no'/><model type='virtio'/>${aliasXml(alias)}</interface>`;
}

function aliasXml(alias: string | undefined): string {
  return alias === undefined ? "" : `<alias name='${alias}'/>`;
}

export function domainXml(name: string, guest: GuestOptions): string {
  const boot =
    guest.boot &&
    `<kernel>${guest.boot.kernel}</kernel><initrd>${guest.boot.initrd}</initrd><cmdline>console=ttyS0 panic=1 ipv6.disable=1</cmdline>`;
  const disks = guest.disks.map((file, index) => diskXml(file, `vd${String.fromCharCode(97 + index)}`));
  const nics = guest.taps.map((tap) => nicXml(tap));
  const cdrom = "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk>";
  const serial = guest.boot && `<serial type='file'><source path='${guest.boot.console}'/><target port='0'/></serial>`;
  return `<domain type='${guest.type ?? "qemu"}'>
  <name>${name}</name>
  ${guest.uuid === undefined ? "" : `<uuid>${guest.uuid}</uuid>`}
  ${guest.metadata === undefined ? "" : `<metadata>${guest.metadata}</metadata>`}
  <memory unit='MiB'>${guest.memoryMiB}</memory>
  <vcpu>${guest.vcpus}</vcpu>
  ${guest.cputune === undefined ? "" : `<cputune>${guest.cputune}</cputune>`}
  <os><type arch='x86_64' machine='q35'>hvm</type>${boot ?? ""}</os>
  <features><acpi/></features>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>${disks.join("")}${nics.join("")}
    ${guest.devices ?? ""}
    ${guest.cdrom === true ? cdrom : ""}
    ${serial ?? ""}
    ${guest.balloon === false ? "<memballoon model='none'/>" : "<memballoon model='virtio'><stats period='10'/></memballoon>"}
  </devices>
</domain>
`;
}

import { domainNameOf } from "../../../../src/discovery/domain-name.ts";
import { BOOT } from "./launcher-image.ts";

/** Files of a launcher's guest. */
export const ROOT_DISK = "/var/run/libvirt/empty-disks/rootdisk.qcow2";
export const CLOUD_INIT = "/var/run/kubevirt-ephemeral-disks/cloud-init-data/noCloud.iso";
const CONSOLE = "/var/run/kubevirt-private/virt-serial0-log";

/** What the domains of two VMs differ in. */
export interface LauncherDomain {
  readonly namespace: string;
  readonly name: string;
  /** Of the firmware. */
  readonly uuid: string;
  readonly memoryMiB: number;
}

/** Returns the XML that a virt-launcher gives its daemon: a VM with a disk, a cloud-init disk and a network. */
export function launcherDomainXml(domain: LauncherDomain): string {
  const { uuid, memoryMiB } = domain;
  return `<domain type='qemu'>
  <name>${domainNameOf(domain)}</name>
  <uuid>${uuid}</uuid>
  <metadata><kubevirt xmlns="http://kubevirt.io"><uid/></kubevirt></metadata>
  <memory unit='MiB'>${memoryMiB}</memory>
  <vcpu placement='static'>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>${BOOT.kernel}</kernel><initrd>${BOOT.initrd}</initrd><cmdline>console=ttyS0 quiet panic=1 ipv6.disable=1</cmdline>
  </os>
  <features><acpi/></features>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk' model='virtio-non-transitional'>
      <driver name='qemu' type='qcow2' error_policy='stop' discard='unmap'/>
      <source file='${ROOT_DISK}'/><target dev='vda' bus='virtio'/><alias name='ua-rootdisk'/>
    </disk>
    <disk type='file' device='disk' model='virtio-non-transitional'>
      <driver name='qemu' type='raw' error_policy='stop' discard='unmap'/>
      <source file='${CLOUD_INIT}'/><target dev='vdb' bus='virtio'/><alias name='ua-cloudinitdisk'/>
    </disk>
    <controller type='usb' index='0' model='none'/>
    <interface type='ethernet'>
      <target dev='tap0' managed='no'/><model type='virtio-non-transitional'/><alias name='ua-default'/><rom enabled='no'/>
    </interface>
    <serial type='file'><source path='${CONSOLE}'/><target port='0'/></serial>
    <memballoon model='virtio-non-transitional'><stats period='10'/></memballoon>
  </devices>
</domain>
`;
}

import type { HostStats, VmSums } from "../collection/node-sample.ts";
import { VERSIONS } from "../collection/stats-needs.ts";
import type { NodeMeasurement } from "./measurement.ts";

/** Longest text of a field. */
const MAX_CHARACTERS = 256;

/** The node: sums over its VMs, its CPUs and its memory. A value that is not known is left out. */
export const vmNode: NodeMeasurement = {
  name: "vm_node",
  family: "Node",
  needs: [VERSIONS],
  write({ vms, host, versions }, fields) {
    const sums: Partial<VmSums> = vms ?? {};
    const node: Partial<HostStats> = host ?? {};
    fields.knownInteger("vms", sums.vms);
    fields.knownInteger("vms_running", sums.running);
    fields.knownInteger("vms_paused", sums.paused);
    fields.knownInteger("vms_stuck", sums.stuck);
    fields.knownInteger("vcpus", sums.vcpus);
    fields.knownInteger("memory_max_kb", sums.memoryMaxKib);
    fields.knownInteger("memory_rss_kb", sums.memoryRssKib);
    fields.knownInteger("cputime_ns", sums.cpuTimeNs);
    fields.knownInteger("cpus", node.cpus);
    fields.knownInteger("memory_kb", node.memoryKib);
    fields.knownInteger("cpu_user_ns", node.userNs);
    fields.knownInteger("cpu_kernel_ns", node.kernelNs);
    fields.knownInteger("cpu_idle_ns", node.idleNs);
    fields.knownInteger("cpu_iowait_ns", node.iowaitNs);
    fields.knownInteger("memory_free_kb", node.freeKib);
    for (const [key, list] of [
      ["libvirt_version", versions.libvirt],
      ["qemu_version", versions.qemu],
    ] as const)
      if (list.length > 0) fields.string(key, list.join(" ").slice(0, MAX_CHARACTERS));
  },
};

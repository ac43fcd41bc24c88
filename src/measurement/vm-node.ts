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
    fields.knownInteger("vms", vms.vms);
    fields.knownInteger("vms_running", vms.running);
    fields.knownInteger("vms_paused", vms.paused);
    fields.knownInteger("vms_stuck", vms.stuck);
    fields.knownInteger("vcpus", vms.vcpus);
    fields.knownInteger("memory_max_kb", vms.memoryMaxKib);
    fields.knownInteger("memory_rss_kb", vms.memoryRssKib);
    fields.knownInteger("cputime_ns", vms.cpuTimeNs);
    fields.knownInteger("cpus", host?.cpus);
    fields.knownInteger("memory_kb", host?.memoryKib);
    fields.knownInteger("cpu_user_ns", host?.userNs);
    fields.knownInteger("cpu_kernel_ns", host?.kernelNs);
    fields.knownInteger("cpu_idle_ns", host?.idleNs);
    fields.knownInteger("cpu_iowait_ns", host?.iowaitNs);
    fields.knownInteger("memory_free_kb", host?.freeKib);
    for (const [key, list] of [
      ["libvirt_version", versions.libvirt],
      ["qemu_version", versions.qemu],
    ] as const)
      if (list.length > 0) fields.string(key, list.join(" ").slice(0, MAX_CHARACTERS));
  },
};

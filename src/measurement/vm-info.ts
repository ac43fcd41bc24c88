import { VM_INFO } from "../collection/libvirt/vm-info.ts";
import { DEVICES, reading } from "../collection/stats-needs.ts";
import type { Measurement } from "./measurement.ts";

/** What the measurements of the family Info have in common. Their lines come at once if a fact of the VM has changed. */
export const INFO = {
  family: "Info",
  needs: [DEVICES, VM_INFO],
  isDue: (sample) => reading(sample, VM_INFO)?.isChanged === true,
} as const satisfies Partial<Measurement>;

/** What a VM is: its machine, its place and its resources. A fact that is not known is left out. */
export const vmInfo: Measurement = {
  ...INFO,
  name: "vm_info",
  write(sample, lines) {
    const info = reading(sample, VM_INFO)?.info;
    if (info === undefined) return;
    const { domain } = info;
    const facts: Partial<NonNullable<typeof info.facts>> = info.facts ?? {};
    lines.begin();
    lines.text("uid", facts.uid);
    lines.text("pod", facts.pod);
    lines.text("instance_type", facts.instanceType);
    lines.text("preference", facts.preference);
    lines.text("guest_os", facts.guestOs);
    lines.text("phase", facts.phase);
    lines.text("machine", domain.machine);
    lines.text("arch", domain.arch);
    lines.text("cpu_model", domain.cpuModel);
    lines.text("firmware", domain.firmware);
    lines.text("pinned_vcpus", domain.pinnedVcpus);
    lines.text("affinity", domain.affinity);
    lines.knownInteger("nics", info.nicCount);
    lines.knownInteger("disks", info.diskCount);
    lines.knownInteger("cpu_request_milli", facts.cpuRequestMilli);
    lines.knownInteger("cpu_limit_milli", facts.cpuLimitMilli);
    lines.knownInteger("memory_request_kb", facts.memoryRequestKib);
    lines.knownInteger("memory_limit_kb", facts.memoryLimitKib);
    lines.knownInteger("migratable", oneIf(facts.isMigratable));
    lines.knownInteger("launcher_outdated", oneIf(facts.isLauncherOutdated));
    lines.knownInteger("agent_connected", oneIf(facts.isAgentConnected));
    lines.end();
  },
};

function oneIf(value: boolean | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}

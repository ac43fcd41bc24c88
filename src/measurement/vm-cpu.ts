import { CPU_USAGE } from "../collection/libvirt/cpu-usage.ts";
import { sumOverVcpus, VCPUS } from "../collection/libvirt/vcpus.ts";
import { reading } from "../collection/stats-needs.ts";
import type { Measurement } from "./measurement.ts";

/** How much CPU a VM uses. A value that is not known is left out. The waits need the family Vcpus, which asks for them. */
export const vmCpu: Measurement = {
  name: "vm_cpu",
  family: "Cpu",
  needs: [CPU_USAGE],
  write(sample, lines) {
    const usage = reading(sample, CPU_USAGE);
    if (usage === undefined) return;
    const vcpus = reading(sample, VCPUS);
    lines.begin();
    lines.float("usage_percent", usage.percent);
    lines.float("usage_of_vcpus_percent", share(usage.percent, sample.cpu.count));
    lines.knownInteger("haltpoll_success_ns", usage.haltPollSuccess);
    lines.knownInteger("haltpoll_fail_ns", usage.haltPollFail);
    lines.knownInteger("vcpus_max", usage.maxVcpus);
    lines.knownInteger("steal_ns", sumOverVcpus(vcpus, "delayNs"));
    lines.knownInteger("wait_ns", sumOverVcpus(vcpus, "waitNs"));
    lines.end();
  },
};

function share(percent: number | undefined, vcpus: number | undefined): number | undefined {
  return percent === undefined || vcpus === undefined || vcpus === 0 ? undefined : percent / vcpus;
}

import { reading } from "../collection/stats-needs.ts";
import { VCPUS } from "../collection/libvirt/vcpus.ts";
import type { Measurement } from "./measurement.ts";

/** Missing values are left out even with `onMissing: Zero`, because a zero would mean "no steal time". */
export const vmVcpus: Measurement = {
  name: "vm_vcpus",
  family: "Vcpus",
  needs: [VCPUS],
  write(sample, lines) {
    for (const { number, state, cpuTimeNs, cpu, waitNs, delayNs } of reading(sample, VCPUS) ?? []) {
      lines.begin({ vcpu: String(number) });
      lines.integer("state", state);
      lines.integer("time_ns", cpuTimeNs);
      if (cpu >= 0) lines.integer("cpu", cpu);
      lines.knownInteger("wait_ns", waitNs);
      lines.knownInteger("delay_ns", delayNs);
      lines.end();
    }
  },
};

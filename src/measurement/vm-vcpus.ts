import { reading } from "../collection/stats-needs.ts";
import { VCPUS } from "../collection/libvirt/vcpus.ts";
import type { Measurement } from "./measurement.ts";

/** A value that is missing is left out, whatever `onMissing` says: a zero would read as "no steal time". */
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
      if (waitNs !== undefined) lines.integer("wait_ns", waitNs);
      if (delayNs !== undefined) lines.integer("delay_ns", delayNs);
      lines.end();
    }
  },
};

import { SimulatedHost } from "../../src/simulator/simulated-host.ts";
import { SyntheticDomain } from "../../src/simulator/synthetic-domain.ts";
import { domainOf, type PlannedVm } from "./plan.ts";

/** Returns the guest of a VM: the same one in every process. */
export function guestOf(vm: PlannedVm): SyntheticDomain {
  return new SyntheticDomain(vm.seed, { nics: 1, disks: 2, seed: 1 }, { name: domainOf(vm), id: 1 });
}

/** Returns a simulated daemon with the guest of a VM. */
export function hostOf(vm: PlannedVm): SimulatedHost {
  const host = new SimulatedHost();
  host.addDomain(guestOf(vm));
  return host;
}

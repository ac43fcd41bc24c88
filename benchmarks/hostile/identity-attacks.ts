import { SyntheticDomain } from "../../src/simulator/synthetic-domain.ts";
import type { LauncherAttack, Pod } from "./attack.ts";
import { FORGED_DEVICE } from "./sample-ledger.ts";

/** Launchers that report for the VM of another tenant. Their lines have a NIC of a name that no honest VM has. */
export const IDENTITY_ATTACKS: readonly LauncherAttack[] = [
  {
    name: "another-name",
    row: "F1",
    what: "the domain has the name, the id and the UUID of another tenant's VM",
    behave: (pod) => {
      report(pod, pod.victim.domain, pod.victim.uuid);
      return {};
    },
  },
  {
    name: "another-uuid",
    row: "F15",
    what: "the domain has the UUID of another tenant's VM",
    behave: (pod) => {
      report(pod, pod.domain, pod.victim.uuid);
      return {};
    },
  },
  {
    name: "no-vmi",
    row: "F1",
    what: "a pod that no VMI lists has a domain with the name, the id and the UUID of another tenant's VM",
    stranger: true,
    behave: (pod) => {
      report(pod, pod.victim.domain, pod.victim.uuid);
      return {};
    },
  },
  {
    name: "linked-socket",
    row: "-",
    what: "the socket is a link to the socket of another tenant's launcher",
    unreached: true,
    behave: ({ victim }) => ({ linkTo: victim.socket }),
  },
];

function report({ host }: Pod, name: string, uuid: string): void {
  const shape = { nics: 1, disks: 1, seed: 7 };
  host.domains.clear();
  host.addDomain(new SyntheticDomain(1, shape, { name, uuid, id: 1 }));
  host.adjustStats = (_name, params) => {
    if (params.has("net.0.name")) params.set("net.0.name", FORGED_DEVICE);
  };
  host.adjustXml = (_name, xml) => xml.replace("dev='vnet0'", `dev='${FORGED_DEVICE}'`);
}

import { randomUUID } from "node:crypto";
import { PROCEDURE } from "../../src/libvirt/protocol.ts";
import { SyntheticDomain } from "../../src/simulator/synthetic-domain.ts";
import type { Behaviour, LauncherAttack, Pod } from "./attack.ts";

const { CONNECT_LIST_ALL_DOMAINS: LIST } = PROCEDURE;
const SHAPE = { nics: 1, disks: 1, seed: 7 };
const MEGABYTE = 1_000_000;

/** Domains, names and runs without end. */
export const NAME_ATTACKS: readonly LauncherAttack[] = [
  {
    name: "long-names",
    row: "F9",
    what: "8 domains with new names of 1 MB in each cycle",
    behave: (pod) =>
      eachCycle((turn) => {
        setDomains(pod, numbered(8), (index) => ({ name: `${turn}-${index}-`.padEnd(MEGABYTE, "n") }));
      }),
  },
  {
    name: "markup-names",
    row: "F10",
    what: "8 domains with names of 3 MB that the status page must escape",
    behave: (pod) => {
      setDomains(pod, numbered(8), (index) => ({ name: `${index}`.padEnd(3 * MEGABYTE, "<") }));
      return {};
    },
  },
  {
    name: "many-domains",
    row: "F9",
    what: "5,000 domains with new names in each cycle",
    behave: (pod) =>
      eachCycle((turn) => {
        setDomains(pod, numbered(5_000), (index) => ({ name: `tenant-a_${turn}-${index}`, uuid: randomUUID() }));
      }),
  },
  {
    name: "same-domain",
    row: "F9",
    what: "200 domains that all have the name of the VM",
    behave: (pod) => {
      setDomains(pod, numbered(200), (index) => ({ name: pod.domain, uuid: randomUUID(), id: index + 1 }));
      return {};
    },
  },
  {
    name: "new-runs",
    row: "F15",
    what: "the VM's domain has another id and UUID in each cycle",
    behave: (pod) =>
      eachCycle((turn) => {
        setDomains(pod, [0], () => ({ name: pod.domain, uuid: randomUUID(), id: turn + 1 }));
      }),
  },
];

/** Calls `change` before each list of domains, which is the agent's first call of a cycle. */
function eachCycle(change: (turn: number) => void): Behaviour {
  let turn = 0;
  change(turn);
  return {
    answer: ({ procedure }) => {
      if (procedure === LIST) change(++turn);
      return false;
    },
  };
}

function setDomains(
  { host }: Pod,
  numbers: readonly number[],
  identity: (index: number) => Partial<SyntheticDomain["ref"]>,
): void {
  host.domains.clear();
  for (const index of numbers) {
    const domain = new SyntheticDomain(index + 1, SHAPE, identity(index));
    // By its number, because several can have the same name.
    host.domains.set(numbers.length === 1 ? domain.ref.name : String(index), domain);
  }
}

function numbered(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index);
}

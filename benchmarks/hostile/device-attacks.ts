import { randomBytes } from "node:crypto";
import { LAUNCHER_BUDGET } from "../../src/budget.ts";
import type { TypedValue } from "../../src/libvirt/types.ts";
import type { LauncherAttack, Pod } from "./attack.ts";

/** A few less than the budget has devices: the simulated guest has disks, too. */
const WITHIN_BUDGET = LAUNCHER_BUDGET.devices - 12;
const COUNTERS = ["rx.bytes", "rx.pkts", "rx.errs", "rx.drop", "tx.bytes", "tx.pkts", "tx.errs", "tx.drop"];

/** NICs without end, and new series in each cycle. */
export const DEVICE_ATTACKS: readonly LauncherAttack[] = [
  {
    name: "many-nics",
    row: "F21",
    what: "4,000 NICs with new names and random aliases in each cycle, while the target is away",
    targetAway: true,
    behave: nics(4_000, "new"),
  },
  {
    name: "new-series",
    row: "F21",
    what: `${WITHIN_BUDGET} NICs with new names and random aliases in each cycle, while the target is away`,
    targetAway: true,
    behave: nics(WITHIN_BUDGET, "new"),
  },
  {
    name: "full-budget",
    row: "-",
    what: `${WITHIN_BUDGET} NICs that stay, which the budget of a launcher allows`,
    behave: nics(WITHIN_BUDGET, "same"),
  },
];

/** Replaces the NICs in the statistics and in the XML. New names make the agent read the XML again. */
function nics(count: number, names: "same" | "new"): LauncherAttack["behave"] {
  return ({ host }: Pod) => {
    let cycle = 0;
    const nameOf = (index: number): string => `n${cycle}x${index}`;
    host.adjustStats = (_name, params) => {
      if (!params.has("net.count")) return;
      if (names === "new") cycle++;
      for (const key of [...params.keys()].filter((each) => each.startsWith("net."))) params.delete(key);
      setNics(params, count, nameOf);
    };
    host.adjustXml = (_name, xml) => {
      const interfaces = Array.from({ length: count }, (_, index) => interfaceXml(nameOf(index)));
      return xml.replace(/<interface.*<\/interface>/s, interfaces.join(""));
    };
    return {};
  };
}

function setNics(params: Map<string, TypedValue>, count: number, nameOf: (index: number) => string): void {
  params.set("net.count", count);
  for (let index = 0; index < count; index++) {
    params.set(`net.${index}.name`, nameOf(index));
    for (const counter of COUNTERS) params.set(`net.${index}.${counter}`, BigInt(index));
  }
}

function interfaceXml(device: string): string {
  const alias = `ua-${randomBytes(12).toString("hex")}`;
  return `<interface type='ethernet'><target dev='${device}'/><alias name='${alias}'/></interface>`;
}

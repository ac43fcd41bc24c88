import { CYCLES, ROUNDS, type FormCost } from "./form-costs.ts";
import { FORM_NAMES, type Form } from "./forms.ts";
import { fixed, levelTable, table, type ServiceLevel } from "./markdown.ts";

type Costs = readonly FormCost[];

/** What we want an agent to cost at most. */
const GOALS: readonly ServiceLevel<Costs>[] = [
  { what: "standalone, 50 domains", limit: 9, unit: "ms", value: (costs) => of(costs, "standalone", 50).cpu },
  { what: "the same without port and spool", limit: 7, unit: "ms", value: (costs) => of(costs, "bare", 50).cpu },
  { what: "cluster, 50 launchers", limit: 16, unit: "ms", value: (costs) => of(costs, "cluster", 50).cpu },
  { what: "cluster, no configuration, a second", limit: 0.3, unit: "ms", value: (costs) => of(costs, "idle", 1).cpu },
  {
    what: "growth from 50 to 500 domains, a domain",
    limit: 0.09,
    unit: "ms",
    value: (costs) => (of(costs, "standalone", 500).cpu - of(costs, "standalone", 50).cpu) / 450,
  },
  {
    what: "resident memory, standalone, 50 domains",
    limit: 72,
    unit: "MiB",
    value: (costs) => of(costs, "standalone", 50).residentMiB,
  },
  {
    what: "working set, standalone, 50 domains",
    limit: 28,
    unit: "MiB",
    value: (costs) => of(costs, "standalone", 50).workingSetMiB,
  },
  {
    what: "working set, cluster, 50 launchers",
    limit: 45,
    unit: "MiB",
    value: (costs) => of(costs, "cluster", 50).workingSetMiB,
  },
];

/** Returns a table of the goals. The CPU time is that of a cycle. */
export function goalTable(costs: Costs): string {
  return levelTable(GOALS, costs);
}

function of(costs: Costs, form: Form, domains: number): FormCost {
  const cost = costs.find((each) => each.form === form && each.domains === domains);
  if (cost === undefined) throw new Error(`${FORM_NAMES[form]} with ${domains} domains was not measured`);
  return cost;
}

/** Returns the table of the forms. If there are several checkouts, it names them and compares each with the first one. */
export function formTable(costs: Costs): string {
  const areSeveral = new Set(costs.map(({ checkout }) => checkout)).size > 1;
  const comparison = areSeveral ? ["commit", "against the first"] : [];
  return table(
    ["form", "domains", ...comparison, "CPU ms", "mean", "RSS MiB", "working set MiB"],
    costs.map((cost) => {
      const first = costs.find(({ form, domains }) => form === cost.form && domains === cost.domains) ?? cost;
      const ratio = cost === first ? "" : `${fixed(cost.cpu / first.cpu, 2)} x`;
      return [
        FORM_NAMES[cost.form],
        cost.domains,
        ...(areSeveral ? [cost.checkout, ratio] : []),
        fixed(cost.cpu, 2),
        fixed(cost.mean, 2),
        fixed(cost.residentMiB),
        fixed(cost.workingSetMiB),
      ];
    }),
  );
}

/** How the figures of the table came about. */
export const FORM_NOTE = `CPU is that of a cycle, of all threads of the agent, from delivery to delivery; of a second where no configuration applies. The
median is over ${ROUNDS} rounds of ${CYCLES} cycles with an interval of 5 s; the mean has the rare long garbage collections. All agents run at the same time.`;

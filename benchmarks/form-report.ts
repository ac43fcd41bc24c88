import { CYCLES, ROUNDS, type FormCost } from "./form-costs.ts";
import { FORM_NAMES } from "./forms.ts";
import { fixed, table } from "./markdown.ts";

/** Returns the table of the forms. If there are several checkouts, it names them and compares each with the first one. */
export function formTable(costs: readonly FormCost[]): string {
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

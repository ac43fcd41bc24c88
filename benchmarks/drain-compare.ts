import { drainCpuUs } from "./drain.ts";
import type { Checkout } from "./forms.ts";
import { fixed, table } from "./markdown.ts";
import { interleave, median } from "./rounds.ts";

const ROUNDS = 10;

/** Returns a table of what a line of a backlog costs each checkout. Takes about six minutes for two of them. */
export async function compareDrains(checkouts: readonly Checkout[]): Promise<string> {
  console.log(`# draining a backlog ${ROUNDS} times with each commit, in turns`);
  const costs = await interleave(checkouts, ROUNDS, ({ directory }) => drainCpuUs(directory));
  const medians = checkouts.map((checkout) => median(costs.get(checkout) ?? [], (cpuUs) => cpuUs));
  const [first = Number.NaN] = medians;
  return table(
    ["drain of a backlog", "µs of CPU for a line, median", "against the first", "smallest", "largest"],
    checkouts.map((checkout, index) => {
      const of = costs.get(checkout) ?? [];
      const cpu = medians[index] ?? Number.NaN;
      const ratio = index === 0 ? "" : `${fixed(cpu / first, 2)} x`;
      return [checkout.name, fixed(cpu, 2), ratio, fixed(Math.min(...of), 2), fixed(Math.max(...of), 2)];
    }),
  );
}

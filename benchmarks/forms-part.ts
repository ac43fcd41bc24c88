import { measureForms, type FormCase } from "./form-costs.ts";
import { FORM_NOTE, formTable, goalTable } from "./form-report.ts";
import { circumstancesOf } from "./machine.ts";
import { circumstances } from "./markdown.ts";

const CASES: readonly FormCase[] = [
  { form: "bare", domains: 50 },
  ...[1, 50, 200, 500].map((domains) => ({ form: "standalone", domains }) as const),
  { form: "cluster", domains: 50 },
  { form: "idle", domains: 1 },
];

const BARRIERS = `What stands in the way of the goals that are not met, from profiles and traces of agents that had run for minutes:

- **Calls.** libvirt's bulk statistics lack what only \`DOMAIN_GET_INFO\` and \`DOMAIN_GET_CPU_STATS\` have, so a cycle makes two calls for each
  domain. Half of the main thread's time follows bytes of a socket. [ADR 0011](adr/0011-cheapest-true-source.md) says why
  these calls and no others. In a cluster each domain has a connection of its own, too.
- **Garbage.** A cycle of 50 domains allocates 1.6 MB. To collect that is a sixth of the time.
- **Compression** of the lines for the spool takes an eighth of it. A smaller window of deflate saves a tenth of that.
- **Memory.** Node with an empty program has about 45 MiB resident, and the pages of its binary that an agent uses are 47 MiB.

Tried without an effect that can be measured: garbage collection in one thread, no concurrent marking, young generations of 1 and 4 MiB.
Not tried, because all work on integers is 7 % of the time: counters as numbers instead of BigInt.`;

/** Measures what the agent costs as it is deployed. Takes about six minutes. */
export async function measure(resources: AsyncDisposableStack): Promise<string> {
  const now = circumstancesOf({});
  const costs = await measureForms([{ name: "this one", directory: "." }], CASES, resources);
  return `## The agent as it is deployed

Simulated libvirt daemons with 2 NICs and 3 disks a domain. A form has the status port and the spool on disk, if it does not say
otherwise. A launcher is a daemon with one domain.

${circumstances(now(), "forms")}

${formTable(costs)}

${FORM_NOTE}

### Goals

${goalTable(costs)}

${BARRIERS}`;
}

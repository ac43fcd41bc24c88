import { measureForms, type FormCase } from "./form-costs.ts";
import { FORM_NOTE, formTable } from "./form-report.ts";
import { circumstancesOf } from "./machine.ts";
import { circumstances } from "./markdown.ts";

const CASES: readonly FormCase[] = [
  { form: "bare", domains: 50 },
  ...[1, 50, 200, 500].map((domains) => ({ form: "standalone", domains }) as const),
  { form: "cluster", domains: 50 },
  { form: "idle", domains: 1 },
];

/** Measures what the agent costs as it is deployed. Takes about six minutes. */
export async function measure(resources: AsyncDisposableStack): Promise<string> {
  const now = circumstancesOf({});
  const costs = await measureForms([{ name: "this one", directory: "." }], CASES, resources);
  return `## The agent as it is deployed

Simulated libvirt daemons with 2 NICs and 3 disks a domain. A form has the status port and the spool on disk, if it does not say
otherwise. A launcher is a daemon with one domain.

${circumstances(now(), "forms")}

${formTable(costs)}

${FORM_NOTE}`;
}

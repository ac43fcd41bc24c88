import { bestLine } from "./best-line.ts";
import { LAUNCHERS, type ChurnFigures } from "./churn.ts";
import type { ChurnSample } from "./churn-probe.ts";
import type { Circumstances } from "./machine.ts";
import { fixed, table } from "./markdown.ts";

interface Growth {
  readonly what: string;
  readonly unit: string;
  /** Allowed growth, with the noise of the samples. */
  readonly atMost: number;
  readonly of: (sample: ChurnSample) => number;
}

/** Share of the run until caches are full and code that runs often is compiled. */
const WARM_UP = 0.25;
/** Resident memory takes about ten minutes to settle, for any number of VMs. */
const SETTLES_MIN = 45;

const GROWTHS: readonly Growth[] = [
  { what: "live heap", unit: "MiB", atMost: 0.75, of: ({ heapMiB }) => heapMiB },
  { what: "buffers", unit: "MiB", atMost: 1, of: ({ buffersMiB }) => buffersMiB },
  { what: "resident memory", unit: "MiB", atMost: 4, of: ({ residentMiB }) => residentMiB },
  { what: "open files", unit: "", atMost: 4, of: ({ openFiles }) => openFiles },
  { what: "connections to libvirt", unit: "", atMost: 4, of: ({ connections }) => connections },
  { what: "inotify watches", unit: "", atMost: 0, of: ({ inotifyWatches }) => inotifyWatches },
  { what: "metrics", unit: "", atMost: 1, of: ({ series }) => series },
];

/** Returns docs/churn.md. */
export function churnReport(figures: ChurnFigures, { date, machine, load }: Circumstances): string {
  const { minutes, intervalS, seen, faults, warnings, before, after, samples } = figures;
  const settled = samples.filter(({ minute }) => minute > WARM_UP * minutes);
  const span = (settled.at(-1)?.minute ?? 0) - (settled[0]?.minute ?? 0);
  const came = (settled.at(-1)?.seen ?? 0) - (settled[0]?.seen ?? 0);
  return `# An agent while VMs come and go

<!-- Written by \`npm run churn\`; change benchmarks/churn-report.ts, not this file. -->

This measures whether the agent grows on a busy node. The bundle runs with a service account's rights on a real API server. At any time
there are ${LAUNCHERS} launchers with a simulated libvirt daemon and one VM each. In ${minutes} minutes there were ${seen} VMIs, each with its own UID, pod and
label value. Of four launchers one stops, one leaves a socket without a listener, one stops answering and ends during a call, and one
crashes while another VMI of its name is created. Every tenth has a second pod whose daemon never starts. The interval is ${intervalS} s,
and the label is a tag.

- measured on ${date} by \`npm run churn -- ${minutes}\`, load average ${fixed(load[0])} at the start and ${fixed(load[1])} at the end
${Object.entries(machine)
  .map(([name, text]) => `- ${name}: ${text}`)
  .join("\n")}

## Growth

Growth is the slope of the best-fit line through the samples of the last ${fixed(span, 0)} minutes, in which ${came} VMIs were created. If each left
one kilobyte behind, the growth would be ${fixed(came / 1024, 2)} MiB. V8 keeps compiling code that runs often, and compiled code is part of the heap.${minutes < SETTLES_MIN ? " In so short a run resident memory has not settled yet." : ""}

${table(
  ["what", "at first", "at last", "growth", "at most", ""],
  GROWTHS.map(({ what, unit, atMost, of }) => {
    const line = bestLine(settled.map((sample) => [sample.minute, of(sample)]));
    const text = (value: number): string => `${fixed(value, unit === "" ? 0 : 2)} ${unit}`.trim();
    const growth = line.slope * span;
    const [first, last] = [settled[0]?.minute ?? 0, settled.at(-1)?.minute ?? 0];
    const verdict = growth <= atMost ? "met" : "**not met**";
    return [what, text(line.at(first)), text(line.at(last)), text(growth), text(atMost), verdict];
  }),
)}

## What arrived

Of the samples of ${seen} VMs, as their target got them. A sample without the VM's
label was not named by its VMI.

${table(
  ["what", "how many"],
  [
    ["VMs without a sample", faults.never],
    [`first samples later than ${intervalS} s and two seconds after the daemon was up`, faults.late],
    ["cycles without a sample, from the first to the last of a VM", faults.missed],
    ["last samples older than an interval when the VM ended", faults.early],
    ["samples of VMs that were gone", faults.afterEnd],
    ["samples without the VM's label", faults.nameless],
  ],
)}

Warnings in the agent's log:

${table(
  ["warning", "how often"],
  Object.entries(warnings).sort(([, a], [, b]) => b - a),
)}

## Samples

Memory is in MiB: the average resident memory since the previous sample, and the heap and buffers after a full garbage collection.
\`objects\` are the watched VMIs and TelemetryConfigs. The first and the last row are without launchers.

${table(
  ["minute", "VMIs seen", "resident", "heap", "buffers", "open files", "connections", "watches", "metrics", "objects"],
  [before, ...samples, after].map((sample) => [
    fixed(sample.minute, minutes < 20 ? 1 : 0),
    sample.seen,
    fixed(sample.residentMiB),
    fixed(sample.heapMiB, 2),
    fixed(sample.buffersMiB, 2),
    sample.openFiles,
    sample.connections,
    sample.inotifyWatches,
    sample.series,
    sample.objects,
  ]),
)}
`;
}

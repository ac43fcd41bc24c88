/** How long each point of time of the lab lasts, and a bucket of its charts. */
export const LAB = { seconds: 120, bucketS: 20, prefix: "lab_" } as const;

interface LabVm {
  readonly name: string;
  /** CPUs that it keeps busy. */
  readonly cores: number;
  /** Node at a second, or undefined when nothing was written. */
  readonly node: (second: number) => string | undefined;
  /** Seconds at which its counter begins anew. */
  readonly resets: readonly number[];
}

/** What counters go through: a live migration in the middle of a bucket, a restart, and an agent that was away. */
export const LAB_VMS: readonly LabVm[] = [
  { name: "moved", cores: 0.5, node: (second) => (second < 50 ? "a" : "b"), resets: [50] },
  { name: "restarted", cores: 0.25, node: () => "a", resets: [70] },
  { name: "unseen", cores: 0.75, node: (second) => (second < 40 || second >= 80 ? "a" : undefined), resets: [] },
];

/** Line protocol of `vm_totals`, a point a second. */
export function labLines(beginS: number): string {
  return LAB_VMS.flatMap(({ name, cores, node, resets }) =>
    Array.from({ length: LAB.seconds }, (_, second) => {
      const where = node(second);
      if (where === undefined) return "";
      const since = Math.max(0, ...resets.filter((reset) => reset <= second));
      // Unlike zero from the beginning, as a counter is that begins before its first sample.
      const cputime = Math.round((second - since + 2) * cores * 1e9);
      const tags = `VMID=1,name=${name},uuid=${name},namespace=lab,node=${where}`;
      return `${LAB.prefix}vm_totals,${tags} cputime=${cputime}i,cpus=2i,memrss=${1024 * 1024}i ${beginS + second}000000000\n`;
    }),
  ).join("");
}

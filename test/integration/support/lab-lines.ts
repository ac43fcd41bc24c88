/** Duration of the lab, and of a bucket of its charts. */
export const LAB = { seconds: 120, bucketS: 20, prefix: "lab_" } as const;

interface LabVm {
  readonly name: string;
  /** Number of CPUs that it keeps busy. */
  readonly cores: number;
  /** Returns the nodes whose agents see it at a second. */
  readonly nodes: (second: number) => readonly string[];
  /** Second at which its counter on a node begins, if not at the start. */
  readonly startS?: Readonly<Record<string, number>>;
  /** Why it is in its state at a second. */
  readonly reason: (second: number) => keyof typeof REASONS;
}

/** Reason -> numbers of the state and of the reason in it. */
const REASONS = { booted: [1, 1], "io-error": [3, 5] } as const;

/** Offset of the agents' clocks. */
const PHASE_MS: Readonly<Record<string, number>> = { a: 500, b: 0 };
/** Second of every bucket in which a VM is idle; it uses the double in the next second. */
const IDLE = 5;
const BOTH = 50;
const RESTART = 70;
const UNPLUGGED = 90;
/** Bytes that the disks of a VM read in a second, and those that a disk had read before it was unplugged. */
export const LAB_READ = 1_000;
const READ_BEFORE = 300_000;

/** The events of the lab: a live migration in the middle of a bucket, a restart, an agent that was down, and an unplugged disk. */
export const LAB_VMS: readonly LabVm[] = [
  {
    name: "moved",
    cores: 0.5,
    nodes: (second) => (second === BOTH ? ["a", "b"] : second < BOTH ? ["a"] : ["b"]),
    startS: { b: BOTH },
    reason: (second) => (second < BOTH ? "booted" : "io-error"),
  },
  {
    name: "restarted",
    cores: 0.25,
    nodes: () => ["a"],
    startS: { a: RESTART },
    reason: (second) => (second < RESTART ? "io-error" : "booted"),
  },
  {
    name: "unseen",
    cores: 0.75,
    nodes: (second) => (second < 40 || second >= 80 ? ["a"] : []),
    reason: () => "booted",
  },
];

/** Returns line protocol of `vm_totals` and `vm_status`, one point a second. */
export function labLines(beginS: number): string {
  return LAB_VMS.flatMap(({ name, cores, nodes, startS = {}, reason }) =>
    Array.from({ length: LAB.seconds }, (_, second) =>
      nodes(second).map((node) => {
        const from = startS[node] ?? 0;
        const worked = second % LAB.bucketS === IDLE ? second - 1 : second;
        // A counter begins before its first sample.
        const cputime = Math.round((worked - (second < from ? 0 : from) + 2) * cores * 1e9);
        const ms = (beginS + second) * 1000 + (PHASE_MS[node] ?? 0);
        const why = reason(second);
        const [state, code] = REASONS[why];
        // A total falls when a disk leaves it, but not to zero.
        const read =
          1_000_000 + (second - (second < from ? 0 : from)) * LAB_READ - (second < UNPLUGGED ? 0 : READ_BEFORE);
        const tags = `VMID=1,name=${name},uuid=${name},namespace=lab,node=${node}`;
        return [
          `${LAB.prefix}vm_totals,${tags} cputime=${cputime}i,cpus=2i,memrss=1048576i,disk_rd_bytes=${read}i,disk_wr_bytes=0i,state=${state}i ${ms}000000\n`,
          `${LAB.prefix}vm_status,${tags} reason="${why}",reason_code=${code}i ${ms}000000\n`,
        ].join("");
      }),
    ),
  )
    .flat()
    .join("");
}

import { execFileSync } from "node:child_process";
import { cpus, loadavg, release, totalmem } from "node:os";

/** The circumstances of a measurement. */
export interface Circumstances {
  readonly date: string;
  readonly machine: Readonly<Record<string, string>>;
  /** Load average at the start and at the end. */
  readonly load: readonly [number, number];
}

/** `programs` are those besides Node: name -> command that prints the version. Call the result at the end. */
export function circumstancesOf(programs: Readonly<Record<string, readonly string[]>>): () => Circumstances {
  const before = load();
  return () => ({
    date: new Date().toISOString().slice(0, 10),
    machine: describeMachine(programs),
    load: [before, load()],
  });
}

function describeMachine(programs: Readonly<Record<string, readonly string[]>>): Readonly<Record<string, string>> {
  const { length } = cpus();
  const gib = Math.round(totalmem() / 1024 ** 3);
  return {
    machine: `${length} CPUs (${cpus()[0]?.model.trim() ?? "unknown"}), ${gib} GiB, Linux ${release()}`,
    Node: process.version,
    ...Object.fromEntries(Object.entries(programs).map(([name, command]) => [name, firstLine(command)])),
  };
}

/** Returns the load average of the last minute. */
function load(): number {
  return loadavg()[0] ?? 0;
}

function firstLine([program = "", ...args]: readonly string[]): string {
  const [line = ""] = execFileSync(program, args, { encoding: "utf8" }).split("\n");
  // InfluxDB prints the current time as the time of its build.
  return line.replace(/ \(git: .*/, "").trim();
}

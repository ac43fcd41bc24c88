import { readdirSync, readFileSync } from "node:fs";

/**
 * CPU milliseconds of the threads of a process since they started. /proc/PID/stat would count in steps of 10 ms, which is
 * more than some programs here need for a cycle.
 */
export function cpuMs(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).reduce((sum, task) => sum + taskMs(`${tasks}/${task}`), 0);
}

function taskMs(task: string): number {
  try {
    return Number(readFileSync(`${task}/schedstat`, "utf8").split(" ")[0]) / 1e6;
  } catch {
    return 0; // The thread has ended since it was listed.
  }
}

/** Resident memory of a process now and at its highest, in MiB. */
export function residentMiB(pid: number): { readonly now: number; readonly peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]) / 1024;
  return { now: field("VmRSS"), peak: field("VmHWM") };
}

import { readdirSync, readFileSync } from "node:fs";

/**
 * Returns the CPU milliseconds of a process's threads since their start. /proc/PID/stat counts in steps of 10 ms, more than some
 * programs here need for a cycle.
 */
export function cpuMs(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).reduce((sum, task) => sum + taskMs(`${tasks}/${task}`), 0);
}

function taskMs(task: string): number {
  try {
    return Number(readFileSync(`${task}/schedstat`, "utf8").split(" ")[0]) / 1e6;
  } catch {
    return 0; // The thread ended after it was listed.
  }
}

/** Returns the current and the highest resident memory of a process, in MiB. */
export function residentMiB(pid: number): { readonly now: number; readonly peak: number } {
  return { now: statusMiB(pid, "VmRSS"), peak: statusMiB(pid, "VmHWM") };
}

/** Returns the resident memory of a process that no file backs, in MiB. */
export function anonymousMiB(pid: number): number {
  return statusMiB(pid, "RssAnon");
}

function statusMiB(pid: number, name: string): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]) / 1024;
}

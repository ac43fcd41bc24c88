import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { kubernetesPath } from "./provision/cache.ts";

/** Path of the chart from the root of the project. */
export const CHART = "charts/kubevirt-telemetry";
/** Name of the release and of its namespace wherever the chart is rendered. */
export const RELEASE = "kubevirt-telemetry";

export interface HelmResult {
  readonly ok: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

export function hasHelm(): boolean {
  return existsSync(kubernetesPath("helm"));
}

/** Runs helm to its end. A call to a cluster must have `--kubeconfig`. */
export function helm(...args: string[]): HelmResult {
  const { status, stdout, stderr, error } = spawnSync(kubernetesPath("helm"), args, { encoding: "utf8" });
  if (error !== undefined) throw error;
  return { ok: status === 0, stdout, stderr };
}

/** Returns the objects of the chart as YAML, with the hooks. Throws if it cannot be rendered. */
export function render(...args: string[]): string {
  const { ok, stdout, stderr } = helm("template", RELEASE, CHART, "--namespace", RELEASE, ...args);
  if (!ok) throw new Error(`the chart cannot be rendered: ${stderr}`);
  return stdout;
}

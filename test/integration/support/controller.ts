import { spawn } from "node:child_process";
import { AgentProcess, SERVE_NOTHING } from "./agent-process.ts";
import type { KubeCluster } from "./kube.ts";
import { CONTROLLER, NAMESPACE } from "./telemetry-cluster.ts";

/** The bundled controller with exactly the rights of its service account. */
export class ControllerProcess extends AgentProcess {
  /** Resolves when it is connected. */
  static async start(cluster: KubeCluster, identity: string): Promise<ControllerProcess> {
    const KUBECONFIG = await cluster.kubeconfigOf(NAMESPACE, CONTROLLER);
    const args = ["controller", "--identity", identity, "--log-level", "debug"];
    const child = spawn("node", ["dist/kubevirt-telemetry.js", ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env["PATH"], KUBECONFIG, ...SERVE_NOTHING },
    });
    const controller = new ControllerProcess(child);
    await controller.logged(({ msg }) => msg === "connected to the API server", "that it is connected");
    return controller;
  }

  /** Searches from entry number `since` on. */
  async leads(since = 0): Promise<void> {
    await this.logged(({ msg }) => msg === "leading", "that it leads", since);
  }
}

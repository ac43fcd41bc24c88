import { writeFile } from "node:fs/promises";
import path from "node:path";
import { CertificateAuthority } from "../../test/support/certificates.ts";
import { FakeApiserver } from "../../test/support/fake-apiserver.ts";
import { guestOf } from "./guests.ts";
import { INTERVAL_MS, NODE, type PlannedVm } from "./plan.ts";

const VMIS = "/apis/kubevirt.io/v1/virtualmachineinstances";
const CONFIGS = "/apis/kubevirt-telemetry.io/v1alpha1/telemetryconfigs";
const REPORTS = "/apis/kubevirt-telemetry.io/v1alpha1/nodetelemetries";
/** The smallest cap that a configuration allows, so that an attack on the spool shows in a short run. */
const SPOOL_MIB = 16;

/** A fake API server with the VMIs of a node and its TelemetryConfig. */
export class Cluster {
  readonly #server: FakeApiserver;

  private constructor(server: FakeApiserver) {
    this.#server = server;
  }

  /** Starts the server, and writes the agent's kubeconfig to the directory. */
  static async start(
    { directory, targetUrl }: { readonly directory: string; readonly targetUrl: string },
    resources: AsyncDisposableStack,
  ): Promise<Cluster> {
    const authority = resources.use(new CertificateAuthority("hostile"));
    const server = resources.use(await FakeApiserver.start(authority.issue("apiserver", "IP:127.0.0.1")));
    server.objects.put(CONFIGS, configObject(targetUrl));
    await writeFile(kubeconfigPath(directory), kubeconfig(server.url, authority.cert));
    return new Cluster(server);
  }

  createVmi(vm: PlannedVm): void {
    const { namespace, name, podUid } = vm;
    this.#server.objects.put(VMIS, {
      metadata: { namespace, name, labels: { "kubevirt.io/nodeName": NODE }, ...{ uid: `vmi-${podUid}` } },
      spec: { domain: { firmware: { uuid: guestOf(vm).ref.uuid } } },
      status: { phase: "Running", nodeName: NODE, activePods: { [podUid]: NODE } },
    });
  }

  /** The node's report, as it was last written. */
  get report(): unknown {
    return this.#server.objects.get(REPORTS, NODE);
  }
}

export function kubeconfigPath(directory: string): string {
  return path.join(directory, "kubeconfig");
}

function configObject(url: string) {
  return {
    apiVersion: "kubevirt-telemetry.io/v1alpha1",
    kind: "TelemetryConfig",
    metadata: { name: "default", ...{ uid: "config-1", generation: 1, creationTimestamp: "2026-01-01T00:00:00Z" } },
    spec: {
      collection: { interval: `${INTERVAL_MS / 1_000}s` },
      targets: [{ name: "influxdb", url, tls: { mode: "Plaintext" }, v1: { database: "telemetry" } }],
      buffer: { maxMiB: SPOOL_MIB },
    },
  };
}

function kubeconfig(server: string, authority: string): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "fake",
    contexts: [{ name: "fake", context: { cluster: "fake", user: "agent", namespace: "kubevirt-telemetry" } }],
    clusters: [
      { name: "fake", cluster: { server, "certificate-authority-data": Buffer.from(authority).toString("base64") } },
    ],
    users: [{ name: "agent", user: { token: "token" } }],
  });
}

import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { AUDIT_POLICY, AUDIT_POLICY_FILE } from "./audit-log.ts";
import { CertificateAuthority } from "../../support/certificates.ts";

/** The name with which the API server calls kubelets, for logs and `kubectl exec`. */
export const KUBELET_CLIENT = "kubelet-client";

/** The directory of a control plane: certificates, tokens and kubeconfig files. */
export class KubeFiles {
  readonly directory: string;
  /** Of the API server. */
  readonly url: string;

  constructor(directory: string, url: string) {
    this.directory = directory;
    this.url = url;
  }

  path(name: string): string {
    return path.join(this.directory, name);
  }

  /** Writes the files of a control plane with this token of the administrator; resolves to the authority's certificate. */
  async write(token: string, nodes: readonly string[]): Promise<string> {
    using authority = new CertificateAuthority("kubernetes");
    const server = authority.issue("apiserver", `IP:${new URL(this.url).hostname}`);
    const client = authority.issue(KUBELET_CLIENT, `DNS:${KUBELET_CLIENT}`);
    const serviceAccounts = authority.issue("service-accounts", "DNS:service-accounts");
    const tokens = [`${token},admin,admin,system:masters`];
    for (const node of nodes) {
      const own = randomUUID();
      tokens.push(`${own},system:node:${node},${node},system:nodes`);
      await this.writeKubeconfig(node, own);
    }
    await this.writeKubeconfig("admin", token);
    const files = {
      "ca.crt": authority.cert,
      "apiserver.crt": server.cert,
      "apiserver.key": server.key,
      [`${KUBELET_CLIENT}.crt`]: client.cert,
      [`${KUBELET_CLIENT}.key`]: client.key,
      "service-accounts.crt": serviceAccounts.cert,
      "service-accounts.key": serviceAccounts.key,
      "tokens.csv": tokens.join("\n"),
      [AUDIT_POLICY_FILE]: AUDIT_POLICY,
    };
    for (const [name, text] of Object.entries(files)) await writeFile(this.path(name), text, { mode: 0o600 });
    return authority.cert;
  }

  /** Writes a kubeconfig file of a user; resolves to its path. */
  async writeKubeconfig(user: string, token: string, namespace = "default"): Promise<string> {
    const cluster = { name: "test", cluster: { server: this.url, "certificate-authority": this.path("ca.crt") } };
    const context = { name: "test", context: { cluster: cluster.name, user, namespace } };
    const config = {
      apiVersion: "v1",
      kind: "Config",
      clusters: [cluster],
      users: [{ name: user, user: { token } }],
      contexts: [context],
      "current-context": context.name,
    };
    const file = this.path(`${user}.kubeconfig`);
    await writeFile(file, JSON.stringify(config), { mode: 0o600 });
    return file;
  }
}

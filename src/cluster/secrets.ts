import type { SecretSource } from "../config/secrets-dir.ts";
import { TelemetryError } from "../errors.ts";
import type { KubeClient } from "../kubernetes/api.ts";
import { messageOfAnswer } from "../kubernetes/answer.ts";
import { recordOf, resourcePath } from "../kubernetes/kube-object.ts";
import { ownValue } from "../lib/own-value.ts";

/**
 * Returns a source of the Secrets and ConfigMaps of one namespace. Each read is a request: they are few, small and rarely
 * read, and a watch would need the right to list all of them.
 */
export function clusterSecrets(client: KubeClient, namespace: string): SecretSource {
  return {
    async read(kind, name, key) {
      const wanted = `the key \`${key}\` of the ${kind} \`${name}\` in the namespace ${namespace}`;
      const plural = kind === "Secret" ? "secrets" : "configmaps";
      const answer = await client.request({
        path: resourcePath({ group: "", version: "v1", plural, namespace, name }),
      });
      if (answer.status !== 200) {
        const remedy =
          answer.status === 403 ? `the agent's Role must name it: ${messageOfAnswer(answer)}` : messageOfAnswer(answer);
        const code = answer.status === 403 || answer.status === 404 ? "E_SECRET_NOT_FOUND" : "E_KUBE_REFUSED";
        throw new TelemetryError(code, `${wanted} cannot be read (${answer.status}): ${remedy}`);
      }
      const { data, binaryData } = recordOf(answer.body);
      const value = ownValue(recordOf(data), key);
      if (typeof value === "string") return (kind === "Secret" ? decode(value) : value).replace(/\r?\n$/, "");
      const binary = ownValue(recordOf(binaryData), key);
      if (typeof binary === "string") return decode(binary);
      throw new TelemetryError("E_SECRET_NOT_FOUND", `${wanted} does not exist`);
    },
  };
}

function decode(base64: string): string {
  return Buffer.from(base64, "base64").toString("utf8");
}

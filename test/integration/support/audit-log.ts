import { readFile } from "node:fs/promises";
import path from "node:path";

// The API server of a cluster with nodes records the requests for our objects, each with the credentials that it came with.

export const AUDIT_POLICY_FILE = "audit-policy.yaml";

export const AUDIT_POLICY = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
    resources: [{ group: kubevirt-telemetry.io }]
  - level: None
`;

const LOG_FILE = "audit.log";

/** Returns the flags of an API server whose files are in this directory. */
export function auditFlags(directory: string): readonly string[] {
  return [
    `--audit-policy-file=${path.join(directory, AUDIT_POLICY_FILE)}`,
    `--audit-log-path=${path.join(directory, LOG_FILE)}`,
  ];
}

/** Resolves to whether a request for one of our objects came with this token of a service account. */
export async function cameWith(token: string, directory: string): Promise<boolean> {
  const [, claims = ""] = token.split(".");
  const { jti } = JSON.parse(Buffer.from(claims, "base64url").toString()) as { readonly jti: string };
  return (await readFile(path.join(directory, LOG_FILE), "utf8")).includes(`"JTI=${jti}"`);
}

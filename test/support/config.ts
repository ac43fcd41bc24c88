import { stringify } from "yaml";
import { API_VERSION, KIND } from "../../src/config/schema.ts";
import type { EffectiveConfig } from "../../src/config/resolve.ts";

/** Only the required fields. */
export const LEAST_SPEC = {
  targets: [{ name: "central", url: "https://influx.example.com", v2: { org: "o", bucket: "b" } }],
};

const SELECTOR = {
  matchLabels: { team: "a" },
  matchExpressions: [{ key: "example.com/tier", operator: "In", values: ["web", "db"] }],
};
const NAMESPACES = { include: ["shop", "web-*"], exclude: ["web-test"] };

/** Every field that a file without a cluster may have, each with a value other than its default. */
export const FULL_SPEC = {
  priority: 7,
  state: "Suspended",
  collection: {
    interval: "10s",
    timeout: "4s",
    families: ["Totals", "Metrics"],
    schedules: [{ families: ["Totals", "Vcpus"], interval: "1h" }],
    raw: { groups: ["Block"] },
    onMissing: "Omit",
    freshness: "GuestPeriod",
    maxConcurrentEndpoints: 4,
  },
  deviceCache: { ttl: "1h30m" },
  tags: { static: { site: "berlin" } },
  measurementPrefix: "kv_",
  buffer: { maxMiB: 64, maxAge: "6h" },
  targets: [
    {
      name: "one",
      url: "https://one.example.com:8086/influx",
      v1: {
        database: "telemetry",
        retentionPolicy: "week",
        credentialsSecretRef: { name: "one", usernameKey: "user", passwordKey: "pass" },
      },
      tls: {
        mode: "Insecure",
        caRef: { configMap: { name: "authority", key: "root.pem" } },
        clientCertSecretRef: { name: "client" },
        serverName: "influx.internal",
      },
      headers: [
        { name: "X-Scope-OrgID", value: "team a" },
        { name: "X-Api-Key", valueSecretRef: { name: "gateway", key: "api-key" } },
      ],
      flush: { interval: "2s", maxLines: 100, maxKiB: 64 },
      timeout: "20s",
      gzip: false,
      maxDrainLinesPerSecond: 500,
      families: ["Totals"],
    },
    {
      name: "two",
      url: "http://127.0.0.1:8086",
      v2: { org: "o", bucket: "b", tokenSecretRef: { name: "two", key: "api-token" } },
      tls: { mode: "Plaintext" },
    },
    {
      name: "three",
      url: "https://three.example.com",
      v3: { database: "d", tokenSecretRef: { name: "three", key: "t" }, api: "V2Compatible" },
      tls: { caRef: { secret: { name: "authority", key: "root.pem" } } },
    },
  ],
};

/** Every field, including those that need a cluster. */
export const CLUSTER_SPEC = {
  ...FULL_SPEC,
  nodeSelector: SELECTOR,
  namespaces: NAMESPACES,
  vmSelector: SELECTOR,
  tags: {
    ...FULL_SPEC.tags,
    vmLabels: [{ key: "example.com/tier", tag: "tier" }],
    vmAnnotations: [{ key: "owner", tag: "owned_by" }],
  },
  targets: FULL_SPEC.targets.map((target) => ({ ...target, vmSelector: SELECTOR, namespaces: NAMESPACES })),
};

export function configObject(spec: unknown): object {
  return { apiVersion: API_VERSION, kind: KIND, metadata: { name: "test" }, spec };
}

export function configText(spec: unknown): string {
  // No anchors for equal values, and every field on its own line.
  return stringify(configObject(spec), { aliasDuplicateObjects: false, lineWidth: 0 });
}

/** Returns a copy with another value at a path; `undefined` removes it. */
export function changed(value: unknown, [first, ...rest]: readonly (string | number)[], to: unknown): unknown {
  if (first === undefined) return to;
  const copy = Array.isArray(value) ? [...(value as unknown[])] : { ...(value as object) };
  const slot = copy as Record<string | number, unknown>;
  slot[first] = changed(slot[first], rest, to);
  if (slot[first] === undefined && !Array.isArray(copy)) Reflect.deleteProperty(copy, first);
  return copy;
}

/** Returns the paths of all parts of a value, without the value itself. */
export function pathsIn(value: unknown, at: readonly (string | number)[] = []): (string | number)[][] {
  if (typeof value !== "object" || value === null) return [];
  const entries: [string | number, unknown][] = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  return entries.flatMap(([key, item]) => [[...at, key], ...pathsIn(item, [...at, key])]);
}

/** Returns the token of the first target; undefined if it has none. */
export function tokenOf(config: EffectiveConfig | undefined): string | undefined {
  const credentials = config?.targets[0]?.credentials;
  return credentials?.kind === "token" ? credentials.token.reveal() : undefined;
}

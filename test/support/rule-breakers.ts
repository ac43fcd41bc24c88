/** A target that breaks no rule. */
const TARGET = { name: "central", url: "https://influx.example.com", v2: { org: "o", bucket: "b" } };

function target(over: object): object {
  return { targets: [{ ...TARGET, ...over }] };
}

/** Specs that break one rule each; together they break every rule. */
export const RULE_BREAKERS: readonly object[] = [
  { collection: { interval: "999ms" } },
  { collection: { interval: "1h1ms", timeout: "1s" }, deviceCache: { ttl: "2h" } },
  { collection: { interval: "5s", timeout: "5s" } },
  { collection: { timeout: "0s" } },
  { collection: { families: ["Metrics", "Totals", "Metrics"] } },
  { collection: { families: ["Metrics", "Raw"] } },
  { collection: { schedules: [{ families: ["Vcpus"], interval: "7s" }] } },
  { collection: { schedules: [{ families: ["Vcpus"], interval: "0s" }] } },
  { collection: { schedules: [{ families: ["Vcpus"], interval: "24h5s" }] } },
  { collection: { interval: "1500ms", schedules: [{ families: ["Vcpus"], interval: "2s" }] } },
  {
    collection: {
      schedules: [
        { families: ["Vcpus", "Disks"], interval: "10s" },
        { families: ["Disks"], interval: "1m" },
      ],
    },
  },
  { deviceCache: { ttl: "999ms" } },
  { deviceCache: { ttl: "24h1s" } },
  { tags: { static: { VMID: "7" } } },
  { tags: { static: { state: "prod" } } },
  { tags: { vmLabels: [{ key: "errors" }] } },
  { tags: { vmAnnotations: [{ key: "example.com/cpus", tag: "cpus" }] } },
  { collection: { families: ["Metrics", "Disks"] }, tags: { static: { fill_percent: "x" } } },
  { collection: { families: ["Disks"] }, tags: { vmLabels: [{ key: "example.com/claim", tag: "pvc" }] } },
  { tags: { static: { "not-a-tag": "x" } } },
  { tags: { vmLabels: [{ key: "name" }] } },
  { tags: { vmAnnotations: [{ key: "example.com/host", tag: "node" }] } },
  { tags: { vmLabels: [{ key: "a/b.c" }], vmAnnotations: [{ key: "a-b/c" }] } },
  { tags: { static: { site: "x" }, vmLabels: [{ key: "location", tag: "site" }] } },
  { buffer: { maxAge: "59s" } },
  { buffer: { maxAge: "168h1ms" } },
  { collection: { families: ["Metrics"] }, targets: [{ ...TARGET, families: ["Metrics", "Totals"] }] },
  { nodeSelector: { matchExpressions: [{ key: "pool", operator: "In" }] } },
  { vmSelector: { matchExpressions: [{ key: "team", operator: "Exists", values: ["a"] }] } },
  target({ url: "ftp://influx.example.com" }),
  target({ url: "influx.example.com:8086" }),
  target({ url: "HTTP://influx.example.com" }),
  target({ url: "https://influx.example.com/%zz" }),
  target({ url: "https://user:password@influx.example.com" }),
  target({ url: "https://influx.example.com/?db=x" }),
  target({ url: "http://influx.example.com" }),
  target({ tls: { mode: "Plaintext" } }),
  target({ tls: { caRef: {} } }),
  target({ tls: { caRef: { configMap: { name: "ca" }, secret: { name: "ca" } } } }),
  target({ v1: { database: "d" } }),
  target({ v2: undefined }),
  target({ headers: [{ name: "X-Scope-OrgID" }] }),
  target({ headers: [{ name: "X-Scope-OrgID", value: "a", valueSecretRef: { name: "s" } }] }),
  target({
    headers: [
      { name: "X-Scope-OrgID", value: "a" },
      { name: "x-scope-orgid", value: "b" },
    ],
  }),
  target({ headers: [{ name: "Content-Length", value: "1" }] }),
  target({ headers: [{ name: "Authorization", value: "Bearer a" }] }),
  target({
    v2: { org: "o", bucket: "b", tokenSecretRef: { name: "t" } },
    headers: [{ name: "authorization", valueSecretRef: { name: "s" } }],
  }),
  target({ flush: { interval: "99ms" } }),
  target({ flush: { interval: "5m1s" } }),
  target({ timeout: "999ms" }),
  target({ timeout: "5m1s" }),
  target({ vmSelector: { matchExpressions: [{ key: "team", operator: "NotIn", values: [] }] } }),
].map((over) => ({ targets: [TARGET], ...over }));

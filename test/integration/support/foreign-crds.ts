// The kinds of OpenShift and of the Prometheus operator that the chart uses, with the fields that it uses. Unknown fields are
// rejected, as in the originals.

type Schema = Readonly<Record<string, unknown>>;

const text = { type: "string" };
const flag = { type: "boolean" };
const texts = { type: "array", nullable: true, items: text };

function fields(properties: Readonly<Record<string, Schema>>, required: readonly string[] = []): Schema {
  return { type: "object", properties, ...(required.length > 0 && { required }) };
}

function strategy(more: Readonly<Record<string, Schema>> = {}): Schema {
  return fields({ type: text, ...more });
}

function flags(...names: string[]): Record<string, Schema> {
  return Object.fromEntries(names.map((name) => [name, flag]));
}

/** From openshift/api: security/v1. */
const SCC_REQUIRED = {
  ...flags("allowHostDirVolumePlugin", "allowHostIPC", "allowHostNetwork", "allowHostPID", "allowHostPorts"),
  ...flags("allowPrivilegedContainer", "readOnlyRootFilesystem"),
  allowedCapabilities: texts,
  defaultAddCapabilities: texts,
  requiredDropCapabilities: texts,
  volumes: texts,
  priority: { type: "integer", nullable: true },
};
const SCC = fields(
  {
    ...SCC_REQUIRED,
    ...flags("allowPrivilegeEscalation", "defaultAllowPrivilegeEscalation"),
    runAsUser: strategy({ uid: { type: "integer" } }),
    seLinuxContext: strategy(),
    fsGroup: strategy(),
    supplementalGroups: strategy(),
    seccompProfiles: texts,
    users: texts,
    groups: texts,
  },
  Object.keys(SCC_REQUIRED),
);

const RELABELING = fields({
  sourceLabels: { type: "array", items: text },
  targetLabel: text,
  regex: text,
  replacement: text,
  action: text,
});
const POD_MONITOR = fields(
  {
    spec: fields(
      {
        selector: fields({
          matchLabels: { type: "object", additionalProperties: text },
          matchExpressions: {
            type: "array",
            items: fields({ key: text, operator: text, values: texts }, ["key", "operator"]),
          },
        }),
        podMetricsEndpoints: {
          type: "array",
          items: fields({
            port: text,
            path: text,
            interval: { type: "string", pattern: "^[0-9]+(ms|s|m|h)$" },
            relabelings: { type: "array", items: RELABELING },
          }),
        },
      },
      ["selector"],
    ),
  },
  ["spec"],
);

/** From prometheus-operator/prometheus-operator: pkg/apis/monitoring/v1. */
const RULE = fields(
  {
    alert: text,
    expr: text,
    for: { type: "string", pattern: "^[0-9]+(ms|s|m|h)$" },
    labels: { type: "object", additionalProperties: text },
    annotations: { type: "object", additionalProperties: text },
  },
  ["expr"],
);
const PROMETHEUS_RULE = fields(
  {
    spec: fields({
      groups: { type: "array", items: fields({ name: text, rules: { type: "array", items: RULE } }, ["name"]) },
    }),
  },
  ["spec"],
);

function crd(group: string, kind: string, plural: string, scope: "Cluster" | "Namespaced", schema: Schema): object {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope,
      names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase() },
      versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: schema } }],
    },
  };
}

export const FOREIGN_CRDS: readonly object[] = [
  crd("security.openshift.io", "SecurityContextConstraints", "securitycontextconstraints", "Cluster", SCC),
  crd("monitoring.coreos.com", "PodMonitor", "podmonitors", "Namespaced", POD_MONITOR),
  crd("monitoring.coreos.com", "PrometheusRule", "prometheusrules", "Namespaced", PROMETHEUS_RULE),
];

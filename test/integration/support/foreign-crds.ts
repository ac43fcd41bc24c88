// The kinds of OpenShift, the Prometheus operator and the Vertical Pod Autoscaler that the chart uses, with the fields that it
// uses. Unknown fields are rejected, as in the originals.

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
const relabelings = { type: "array", items: RELABELING };
const number = { type: "integer" };
const duration = { type: "string", pattern: "^[0-9]+(ms|s|m|h)$" };

function monitor(endpoints: string): Schema {
  const selector = fields({
    matchLabels: { type: "object", additionalProperties: text },
    matchExpressions: {
      type: "array",
      items: fields({ key: text, operator: text, values: texts }, ["key", "operator"]),
    },
  });
  const endpoint = fields({
    port: text,
    path: text,
    honorLabels: { type: "boolean" },
    scheme: { type: "string", enum: ["http", "https"] },
    interval: duration,
    scrapeTimeout: duration,
    tlsConfig: fields(flags("insecureSkipVerify")),
    authorization: fields({ credentials: fields({ name: text, key: text }, ["key"]) }),
    relabelings,
    metricRelabelings: relabelings,
  });
  const namespaceSelector = fields({ any: flag, matchNames: texts });
  const limits = { sampleLimit: number, targetLimit: number, labelLimit: number };
  const spec = { selector, namespaceSelector, jobLabel: text, ...limits };
  const list = { type: "array", items: endpoint };
  return fields({ spec: fields({ ...spec, [endpoints]: list }, ["selector"]) }, ["spec"]);
}

/** From kubernetes/autoscaler: autoscaling.k8s.io/v1. */
const CONTAINER_POLICY = fields({
  containerName: text,
  mode: text,
  controlledResources: texts,
  minAllowed: { type: "object", additionalProperties: text },
  maxAllowed: { type: "object", additionalProperties: text },
});
const VERTICAL_POD_AUTOSCALER = fields(
  {
    spec: fields(
      {
        targetRef: fields({ apiVersion: text, kind: text, name: text }, ["kind", "name"]),
        updatePolicy: fields({
          updateMode: { type: "string", enum: ["Off", "Initial", "Recreate", "InPlaceOrRecreate", "Auto"] },
        }),
        resourcePolicy: fields({ containerPolicies: { type: "array", items: CONTAINER_POLICY } }),
      },
      ["targetRef"],
    ),
  },
  ["spec"],
);

/** From prometheus-operator/prometheus-operator: pkg/apis/monitoring/v1. */
const RULE = fields(
  {
    alert: text,
    expr: text,
    for: duration,
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

/** An API server accepts a CRD of a group below k8s.io only with this annotation. */
const APPROVED = { "api-approved.kubernetes.io": "https://github.com/kubernetes/kubernetes/pull/63797" };

function crd(group: string, kind: string, plural: string, scope: "Cluster" | "Namespaced", schema: Schema): object {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}`, ...(group.endsWith(".k8s.io") && { annotations: APPROVED }) },
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
  crd("monitoring.coreos.com", "PodMonitor", "podmonitors", "Namespaced", monitor("podMetricsEndpoints")),
  crd("monitoring.coreos.com", "ServiceMonitor", "servicemonitors", "Namespaced", monitor("endpoints")),
  crd("monitoring.coreos.com", "PrometheusRule", "prometheusrules", "Namespaced", PROMETHEUS_RULE),
  crd("autoscaling.k8s.io", "VerticalPodAutoscaler", "verticalpodautoscalers", "Namespaced", VERTICAL_POD_AUTOSCALER),
];

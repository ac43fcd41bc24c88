import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { helm } from "../../scripts/helm.ts";
import { chartObjects, only, podSpecOf, podsOf, VALUES_FILES, type ChartObject } from "../support/chart.ts";
import { docBlocks } from "../support/docs.ts";

const tuned = chartObjects("--values", VALUES_FILES.get("tuned") ?? "");
const everything = chartObjects("--values", VALUES_FILES.get("everything") ?? "");

/** Returns the kind and the name of each object, sorted. */
function names(of: readonly ChartObject[]): string[] {
  return of.map(({ kind, metadata }) => `${kind} ${metadata.name}`).sort();
}

test("nameOverride replaces the chart's name in names, labels and selectors", () => {
  const { metadata, spec } = only(tuned, "DaemonSet");
  assert.equal(metadata.name, "kubevirt-telemetry-vms-agent");
  const { selector } = spec as { selector: { matchLabels: object } };
  assert.deepEqual(selector.matchLabels, {
    "app.kubernetes.io/name": "vms",
    "app.kubernetes.io/instance": "kubevirt-telemetry",
    "app.kubernetes.io/component": "agent",
  });
  const long = only(chartObjects("--set", `nameOverride=${"a".repeat(99)}`), "DaemonSet");
  assert.ok((long.metadata.labels?.["app.kubernetes.io/name"] ?? "").length <= 63);
});

test("namespaceOverride is the namespace of every object and of every reference to one", () => {
  const objects = chartObjects(
    "--set",
    "namespaceOverride=elsewhere,networkPolicy.enabled=true,dashboards.enabled=true,openshift.scc.create=true",
  );
  const outside = objects.filter(
    ({ metadata }) => metadata.namespace !== undefined && metadata.namespace !== "elsewhere",
  );
  assert.deepEqual(names(outside), [
    "Role kubevirt-telemetry-controller-events",
    "RoleBinding kubevirt-telemetry-controller-events",
  ]);
  const text = JSON.stringify(objects);
  assert.doesNotMatch(text, /"namespace":"kubevirt-telemetry"|serviceaccount:kubevirt-telemetry/);
  assert.match(text, /system:serviceaccount:elsewhere:kubevirt-telemetry-agent/);
});

test("pull secrets of a parent chart come before those of this chart, as names or as objects", () => {
  for (const pod of podsOf(everything))
    assert.deepEqual(
      podSpecOf(pod)["imagePullSecrets"],
      [{ name: "mirror" }, { name: "registry" }, { name: "other" }],
      pod.kind,
    );
  const [image] = podSpecOf(only(everything, "DaemonSet")).containers;
  assert.match(image?.image ?? "", /^mirror\.example\.com:5000\/kubevirt-telemetry@sha256:/);
});

test("a parent chart may share other values, and null, with this chart", () => {
  const values = 'global={"imageRegistry":null,"imagePullSecrets":null,"storageClass":"fast"}';
  const [agent] = podSpecOf(only(chartObjects("--set-json", values), "DaemonSet")).containers;
  assert.match(agent?.image ?? "", /^ghcr\.io\//);
});

test("null instead of a list or a map is an empty one", () => {
  const of = (component: string): string[] =>
    ["envFrom", "extraArgs", "extraVolumes", "extraVolumeMounts", "sidecars", "hostAliases", "dnsConfig"].map(
      (value) => `${component}.${value}=null`,
    );
  const others = ["global", "imagePullSecrets", "probes.liveness", "commonAnnotations", "podMonitor.relabelings"];
  const nulls = [...of("agent"), ...of("controller"), ...others.map((value) => `${value}=null`)].join(",");
  const [agent] = podSpecOf(only(chartObjects("--set-json", nulls), "DaemonSet")).containers;
  assert.deepEqual(agent?.["livenessProbe"], { httpGet: { path: "/healthz", port: "metrics" } });
});

test("without rbac.create there are no rights, and the accounts have the given names", () => {
  const values = { rbac: { create: false }, agent: { serviceAccount: { create: false, name: "mine" } } };
  const objects = chartObjects("--set-json", toSet(values), "--set", "telemetryConfig.create=true", ...SPEC);
  assert.deepEqual(
    names(objects).filter((name) => /Role|ServiceAccount/.test(name)),
    ["ServiceAccount kubevirt-telemetry-controller", "ServiceAccount kubevirt-telemetry-create-config"],
  );
  for (const kind of ["DaemonSet", "Pod"])
    assert.equal(podSpecOf(only(objects, kind))["serviceAccountName"], "mine", kind);
  assert.match(JSON.stringify(only(objects, "ValidatingAdmissionPolicy")), /endsWith\(':mine'\)/);
});

test("the rights belong to the accounts of the values", () => {
  const subjects = tuned.flatMap((object) => (object["subjects"] ?? []) as { readonly name: string }[]);
  assert.deepEqual([...new Set(subjects.map(({ name }) => name))].sort(), [
    "telemetry-agents",
    "telemetry-controllers",
  ]);
  const accounts = tuned.filter(({ kind }) => kind === "ServiceAccount");
  assert.deepEqual(
    accounts.map(({ metadata }) => metadata.annotations?.["example.com/role"]),
    ["agents", "controllers"],
  );
});

test("labels of the values replace those of the chart, but not those of its selectors", () => {
  const component = "app.kubernetes.io/component";
  const values = {
    commonLabels: {
      team: "a",
      "app.kubernetes.io/part-of": "platform",
      "app.kubernetes.io/name": "b",
      [component]: "b",
    },
    agent: { podLabels: { team: "b", [component]: "b" }, podAnnotations: { [DEFAULT_CONTAINER]: "sidecar" } },
    controller: { podLabels: { team: "b" } },
    dashboards: { enabled: true, labels: { team: "b" } },
    podMonitor: { enabled: true, labels: { team: "b" } },
    prometheusRule: { enabled: true, labels: { team: "b" } },
  };
  const objects = chartObjects("--set-json", toSet(values));
  const common = { team: "a", "app.kubernetes.io/part-of": "platform", "app.kubernetes.io/name": "kubevirt-telemetry" };
  for (const [kind, name] of Object.entries({ DaemonSet: "agent", Deployment: "controller" })) {
    const { metadata, spec } = only(objects, kind);
    const { template } = spec as { template: Pick<ChartObject, "metadata"> };
    const labels = { ...common, [component]: name };
    assert.partialDeepStrictEqual(metadata.labels, labels);
    assert.partialDeepStrictEqual(template.metadata.labels, { ...labels, team: "b" });
    if (kind === "DaemonSet") assert.deepEqual(template.metadata.annotations, { [DEFAULT_CONTAINER]: "sidecar" });
  }
  for (const { kind, metadata } of objects.filter(({ kind }) => /ConfigMap|Monitor|PrometheusRule/.test(kind)))
    assert.partialDeepStrictEqual(metadata.labels, { ...common, team: "b" }, kind);
});

test("a variable of the values replaces that of the chart", () => {
  // With server-side apply the API server rejects a name that is there twice.
  const env = [
    { name: "KUBEVIRT_TELEMETRY_LOG_LEVEL", value: "debug" },
    { name: "HTTPS_PROXY", value: "http://proxy" },
  ];
  const objects = chartObjects("--set-json", toSet({ agent: { env }, controller: { env } }));
  for (const kind of ["DaemonSet", "Deployment"]) {
    const [{ env: variables = [] } = assert.fail()] = podSpecOf(only(objects, kind)).containers;
    const names = variables.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length, names.join());
    assert.ok(names.includes("KUBEVIRT_TELEMETRY_LISTEN"));
    assert.deepEqual(variables.slice(-2), env);
  }
});

test("a field of a security context is replaced, and the others stay", () => {
  const { securityContext, containers } = podSpecOf(only(tuned, "Deployment"));
  assert.deepEqual(securityContext, {
    runAsNonRoot: true,
    seccompProfile: { type: "RuntimeDefault" },
    supplementalGroups: [2000],
  });
  assert.deepEqual(containers[0]?.securityContext, {
    runAsUser: 10001,
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
  });
});

test("OpenShift's constraints allow the kinds of the additional volumes", () => {
  const volumes = 'agent.extraVolumes=[{"name":"a","csi":{"driver":"d"}},{"name":"b","configMap":{"name":"b"}}]';
  const constraints = only(chartObjects("--set", "openshift.scc.create=true", "--set-json", volumes), SCC);
  assert.deepEqual(constraints["volumes"], ["configMap", "csi", "emptyDir", "hostPath", "projected"]);
});

test("a spread constraint counts the controllers, unless it has a selector", () => {
  const constraint = (more: object) => ({
    topologyKey: "zone",
    maxSkew: 1,
    whenUnsatisfiable: "DoNotSchedule",
    ...more,
  });
  const own = { matchLabels: { a: "b" } };
  const given = [constraint({}), constraint({ labelSelector: own })];
  const set = `controller.topologySpreadConstraints=${JSON.stringify(given)}`;
  const { spec } = only(chartObjects("--set-json", set), "Deployment");
  const { selector, template } = spec as {
    selector: object;
    template: { spec: { topologySpreadConstraints: readonly { labelSelector: object }[] } };
  };
  assert.deepEqual(
    template.spec.topologySpreadConstraints.map(({ labelSelector }) => labelSelector),
    [selector, own],
  );
});

test("the values to remove the spool are those of the install page", () => {
  const [steps] = docBlocks("docs/install.md").filter(({ heading }) => heading === "Remove the queued lines");
  const [, set = ""] = /--set (\S+)/.exec(steps?.text ?? "") ?? [];
  const file = VALUES_FILES.get("remove-spool") ?? "";
  assert.deepEqual(chartObjects("--set", set), chartObjects("--values", file));
});

test("with agent.spool.remove a pod has only the right and the mount to delete the spool", () => {
  const remove = ["--set", "agent.spool.remove=true", "--set-json", 'agent.sidecars=[{"name":"a","image":"b"}]'];
  const { initContainers, containers } = podSpecOf(only(chartObjects(...remove), "DaemonSet"));
  assert.deepEqual([initContainers, containers.map(({ name }) => name)], [undefined, ["remove-spool"]]);
  const { securityContext, volumeMounts } = containers[0] ?? assert.fail();
  assert.partialDeepStrictEqual(securityContext, {
    runAsUser: 0,
    capabilities: { drop: ["ALL"], add: ["DAC_OVERRIDE"] },
  });
  assert.deepEqual(volumeMounts, [{ name: "spool", mountPath: "/spool" }]);
});

test("a monitor in another namespace finds the pods of the release", () => {
  const monitor = only(everything, "PodMonitor");
  assert.equal(monitor.metadata.namespace, "monitoring");
  const { namespaceSelector, jobLabel, sampleLimit, podMetricsEndpoints } = monitor.spec as Record<string, object>;
  assert.deepEqual(namespaceSelector, { matchNames: ["telemetry"] });
  assert.deepEqual([jobLabel, sampleLimit], ["app.kubernetes.io/name", 5000]);
  const [endpoint] = podMetricsEndpoints as unknown as readonly Record<string, unknown>[];
  assert.equal((endpoint?.["relabelings"] as object[]).length, 3);
  assert.deepEqual([endpoint?.["port"], endpoint?.["scheme"]], ["metrics", "https"]);
});

test("a ServiceMonitor brings the Services that it selects", () => {
  const objects = chartObjects("--values", VALUES_FILES.get("service-monitor") ?? "");
  const { matchLabels } = (only(objects, "ServiceMonitor").spec as { selector: { matchLabels: object } }).selector;
  const services = objects.filter(({ kind }) => kind === "Service");
  assert.deepEqual(names(services), ["Service kubevirt-telemetry-agent", "Service kubevirt-telemetry-controller"]);
  for (const [index, kind] of ["DaemonSet", "Deployment"].entries()) {
    const { metadata, spec } = services[index] as ChartObject;
    assert.partialDeepStrictEqual(metadata.labels, matchLabels);
    const { selector, clusterIP } = spec as { selector: object; clusterIP: string };
    assert.equal(clusterIP, "None");
    assert.deepEqual(
      (only(objects, kind).spec as { selector: { matchLabels: object } }).selector.matchLabels,
      selector,
    );
  }
});

test("a network policy exists for every pod of the chart, and the test pod reaches nothing", () => {
  const policies = everything.filter(({ kind }) => kind === "NetworkPolicy");
  const components = (of: readonly (string | undefined)[]) => [...of].sort();
  assert.deepEqual(
    components(policies.map(({ spec }) => selectedBy(spec))),
    components(podsOf(everything).map(componentOf)),
  );
  const { ingress, egress } = policies.find(({ spec }) => selectedBy(spec) === "test")?.spec as Record<string, unknown>;
  assert.deepEqual([ingress, egress], [undefined, undefined]);
});

test("a network policy allows the ports of DNS pods on OpenShift, and the named ports of the API server", () => {
  const rules = (...args: string[]) =>
    chartObjects("--set", "networkPolicy.enabled=true", ...args)
      .filter(({ kind, spec }) => kind === "NetworkPolicy" && selectedBy(spec) !== "test")
      .map(({ spec }) => (spec as { egress: { ports: { port: number; protocol: string }[] }[] }).egress)
      .map((egress) => egress.map(({ ports }) => ports.map(({ port, protocol }) => `${port}/${protocol}`).join(" ")));
  const dns = "53/UDP 53/TCP 5353/UDP 5353/TCP";
  const byDefault = [dns, "443/TCP 6443/TCP"];
  assert.deepEqual(rules(), [byDefault, byDefault]);
  const create = ["--set", "telemetryConfig.create=true", ...SPEC];
  const named = [dns, "16443/TCP"];
  assert.deepEqual(rules(...create, "--set", "networkPolicy.apiServerPorts={16443}"), [named, named, named]);
});

test("the log has the format of the values", () => {
  const format = (of: readonly ChartObject[], kind: string) =>
    podSpecOf(only(of, kind)).containers[0]?.env?.find(({ name }) => name.endsWith("_LOG_FORMAT"))?.value;
  for (const kind of ["DaemonSet", "Deployment"])
    assert.deepEqual([format(tuned, kind), format(chartObjects(), kind)], ["text", undefined], kind);
});

test("docs/support.md has the version of Helm that renders the chart", () => {
  const [version = ""] = /\d+\.\d+\.\d+/.exec(helm("version", "--short").stdout) ?? [];
  assert.match(readFileSync("docs/support.md", "utf8"), new RegExp(`^\\| Helm +\\| ${version} `, "m"));
});

test("helm lint has no remarks", () => {
  assert.doesNotMatch(helm("lint", "--strict", "charts/kubevirt-telemetry").stdout, /\[(INFO|WARNING|ERROR)\]/);
});

const DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container";
const SCC = "SecurityContextConstraints";
const SPEC = ["--set", "telemetryConfig.spec.targets[0].name=a,telemetryConfig.spec.targets[0].url=https://a"];

/** Returns values as the argument of --set-json. */
function toSet(values: object): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(",");
}

function selectedBy(spec: unknown): string | undefined {
  const { matchLabels } = (spec as { podSelector: { matchLabels: Readonly<Record<string, string>> } }).podSelector;
  return matchLabels["app.kubernetes.io/component"];
}

function componentOf({ kind, metadata, spec }: ChartObject): string | undefined {
  const { labels } =
    kind === "Pod" ? metadata : (spec as { template: { metadata: ChartObject["metadata"] } }).template.metadata;
  return labels?.["app.kubernetes.io/component"];
}

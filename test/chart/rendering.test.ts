import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { format } from "prettier";
import { installManifest } from "../../scripts/generate/manifests.ts";
import { CHART, helm } from "../../scripts/helm.ts";
import { chartObjects, objectsIn, only, podsOf, podSpecOf, VALUES_FILES, type ChartObject } from "../support/chart.ts";

/** Values whose pods run no agent. */
const WITHOUT_AGENT = "remove-spool";
const objectsOf = new Map([...VALUES_FILES].map(([name, file]) => [name, chartObjects("--values", file)]));

function objects(name: string): readonly ChartObject[] {
  const found = objectsOf.get(name);
  assert.ok(found, name);
  return found;
}

const withAgent = [...objectsOf].filter(([name]) => name !== WITHOUT_AGENT);

/** Returns `Kind name` of each object. */
function names(of: readonly ChartObject[]): string[] {
  return of.map(({ kind, metadata }) => `${kind} ${metadata.name}`).sort();
}

test("helm lint passes with every file of values", () => {
  for (const file of VALUES_FILES.values()) {
    const { ok, stdout } = helm("lint", "--strict", "--values", file, CHART);
    assert.ok(ok, `${file}: ${stdout}`);
  }
});

test("the manifests are the chart with its default values", async () => {
  const options = JSON.parse(readFileSync(".prettierrc.json", "utf8")) as object;
  const wanted = await format(installManifest(), { ...options, parser: "yaml" });
  assert.equal(readFileSync("manifests/install.yaml", "utf8"), wanted, "run `npm run generate`");
});

test("the default values make only the needed objects", () => {
  const rights = ["ServiceAccount", "ClusterRole", "ClusterRoleBinding"];
  assert.deepEqual(
    names(objects("default")),
    [
      ...rights.flatMap((kind) => [`${kind} kubevirt-telemetry-agent`, `${kind} kubevirt-telemetry-controller`]),
      ...["Role", "RoleBinding"].flatMap((kind) =>
        ["agent-references", "controller-events", "controller-lease"].map((of) => `${kind} kubevirt-telemetry-${of}`),
      ),
      "CustomResourceDefinition nodetelemetries.kubevirt-telemetry.io",
      "CustomResourceDefinition telemetryconfigs.kubevirt-telemetry.io",
      "DaemonSet kubevirt-telemetry-agent",
      "Deployment kubevirt-telemetry-controller",
      "Pod kubevirt-telemetry-test",
      "ValidatingAdmissionPolicy kubevirt-telemetry-own-node",
      "ValidatingAdmissionPolicyBinding kubevirt-telemetry-own-node",
    ].sort(),
  );
});

test("with everything on there is an object for each switch, with the given name", () => {
  const added = names(objects("everything")).filter((name) => !names(objects("default")).includes(name));
  const others = added.filter(
    (name) => !/^(ServiceAccount|ClusterRole|ClusterRoleBinding|Role|RoleBinding) /.test(name),
  );
  assert.deepEqual(others, [
    "ConfigMap extra-as-text",
    "ConfigMap telemetry-create-config",
    "ConfigMap telemetry-dashboard-agent",
    "ConfigMap telemetry-dashboard-fleet",
    "ConfigMap telemetry-dashboard-node",
    "ConfigMap telemetry-dashboard-vm",
    "ConfigMap telemetry-extra",
    "DaemonSet telemetry-agent",
    "Deployment telemetry-controller",
    "Job telemetry-create-config",
    "NetworkPolicy telemetry-agent",
    "NetworkPolicy telemetry-controller",
    "NetworkPolicy telemetry-create-config",
    "NetworkPolicy telemetry-test",
    "Pod telemetry-test",
    "PodMonitor telemetry",
    "PrometheusRule telemetry",
    "SecurityContextConstraints telemetry-agent",
    "ValidatingAdmissionPolicy telemetry-own-node",
    "ValidatingAdmissionPolicyBinding telemetry-own-node",
    "VerticalPodAutoscaler telemetry-agent",
  ]);
  for (const { kind, metadata } of objects("everything")) {
    if (metadata.name.includes("extra")) continue;
    assert.equal(metadata.labels?.["team"], "platform", kind);
    assert.equal(metadata.annotations?.["example.com/contact"], "platform", kind);
  }
});

test("every pod runs with the least rights, for all values", () => {
  for (const [name, of] of objectsOf)
    for (const object of podsOf(of)) {
      const pod = podSpecOf(object);
      const what = `${name}: ${object.kind} ${object.metadata.name}`;
      for (const shared of ["hostNetwork", "hostPID", "hostIPC"]) assert.equal(pod[shared], undefined, what);
      assert.equal(pod["enableServiceLinks"], false, what);
      assert.deepEqual((pod.securityContext as { seccompProfile: unknown }).seccompProfile, { type: "RuntimeDefault" });
      for (const { securityContext, resources } of [...(pod.initContainers ?? []), ...pod.containers]) {
        const context = securityContext as Readonly<Record<string, unknown>>;
        assert.equal(context["allowPrivilegeEscalation"], false, what);
        assert.equal(context["readOnlyRootFilesystem"], true, what);
        assert.equal(context["privileged"], undefined, what);
        assert.deepEqual((context["capabilities"] as { drop: unknown }).drop, ["ALL"], what);
        assert.ok((resources as { limits: { memory: string } }).limits.memory, what);
      }
    }
});

const LAUNCHER = { runAsUser: 107, runAsGroup: 0, runAsNonRoot: true, capabilities: { drop: ["ALL"] } };
const ROOT = { runAsUser: 0, runAsGroup: 0, capabilities: { drop: ["ALL"], add: ["DAC_OVERRIDE"] } };
const IDENTITIES: Readonly<Record<string, object>> = {
  default: LAUNCHER,
  openshift: LAUNCHER,
  emptydir: LAUNCHER,
  "root-launchers": ROOT,
  everything: ROOT,
  "service-monitor": LAUNCHER,
  tuned: { ...LAUNCHER, seccompProfile: { type: "RuntimeDefault" } },
};

test("an agent runs as the launchers' user, or as root with one capability", () => {
  assert.deepEqual(Object.keys(IDENTITIES).sort(), withAgent.map(([name]) => name).sort());
  const always = { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true };
  for (const [name, identity] of Object.entries(IDENTITIES)) {
    const [agent] = podSpecOf(only(objects(name), "DaemonSet")).containers;
    assert.deepEqual(agent?.securityContext, { ...identity, ...always }, name);
    const [tested] = podSpecOf(only(objects(name), "Pod")).containers;
    assert.deepEqual(tested?.securityContext, agent.securityContext, name);
  }
});

test("an agent mounts the pods directory read-only, at a short path, with propagation", () => {
  for (const [name, of] of withAgent) {
    const pod = podSpecOf(only(of, "DaemonSet"));
    const [agent] = pod.containers;
    assert.deepEqual(
      agent?.volumeMounts?.find((mount) => mount.name === "pods"),
      { name: "pods", mountPath: "/p", readOnly: true, mountPropagation: "HostToContainer" },
      name,
    );
    const podsDir = name === "everything" ? "/data/kubelet/pods" : "/var/lib/kubelet/pods";
    assert.deepEqual(
      pod.volumes?.find((volume) => volume.name === "pods"),
      { name: "pods", hostPath: { path: podsDir, type: "Directory" } },
      name,
    );
  }
});

test("agents and controllers listen on the port of their probes", () => {
  for (const kind of ["DaemonSet", "Deployment"]) {
    const [container] = podSpecOf(only(objects("default"), kind)).containers;
    assert.deepEqual(container?.env?.find(({ name }) => name === "KUBEVIRT_TELEMETRY_LISTEN")?.value, ":9090", kind);
    assert.deepEqual(container["ports"], [{ name: "metrics", containerPort: 9090 }], kind);
    for (const [probe, path] of [
      ["livenessProbe", "/healthz"],
      ["readinessProbe", "/readyz"],
    ] as const)
      assert.deepEqual((container[probe] as { httpGet: unknown }).httpGet, { path, port: "metrics" }, kind);
    const [unasked] = podSpecOf(only(objects("everything"), kind)).containers;
    assert.deepEqual(unasked?.["ports"], [{ name: "metrics", containerPort: 19090 }], kind);
    assert.equal(unasked["livenessProbe"], undefined, kind);
  }
});

test("allowed hosts are one environment variable of agents and controller, and none by default", () => {
  const variable = (name: string, kind: string) =>
    podSpecOf(only(objects(name), kind)).containers[0]?.env?.find((one) => one.name.endsWith("_ALLOWED_HOST"));
  for (const kind of ["DaemonSet", "Deployment"]) assert.equal(variable("default", kind), undefined);
  assert.equal(variable("everything", "DaemonSet")?.value, "agent.example.com,metrics.telemetry.svc");
  assert.equal(variable("everything", "Deployment")?.value, "controller.example.com");
});

test("prepare-spool makes the agent's user the owner; an emptyDir needs no init container", () => {
  const step = (name: string): unknown => podSpecOf(only(objects(name), "DaemonSet")).initContainers?.[0]?.args;
  assert.deepEqual(step("default"), ["prepare-spool", "/spool", "107:0"]);
  assert.deepEqual(step("root-launchers"), ["prepare-spool", "/spool", "0:0"]);
  assert.equal(step("emptydir"), undefined);
  const { volumes } = podSpecOf(only(objects("emptydir"), "DaemonSet"));
  assert.deepEqual(volumes?.find(({ name }) => name === "spool")?.["emptyDir"], { sizeLimit: "600Mi" });
});

test("agents read only named Secrets and ConfigMaps; without names there is no rule", () => {
  const readable = (values: string): unknown =>
    chartObjects("--set-json", values)
      .find(({ kind, metadata }) => kind === "Role" && metadata.name.endsWith("-references"))
      ?.rules?.map(({ resources, resourceNames }) => [resources, resourceNames]);
  assert.deepEqual(readable('secretNames=["a","b"]'), [[["secrets"], ["a", "b"]]]);
  assert.deepEqual(readable('secretNames=[],configMapNames=["ca"]'), [[["configmaps"], ["ca"]]]);
  for (const none of ["[]", "null"]) assert.equal(readable(`secretNames=${none}`), undefined, none);
  for (const [name, of] of objectsOf)
    for (const { rules = [] } of of)
      for (const { resources = [], resourceNames } of rules)
        if (resources.includes("secrets")) assert.notEqual(resourceNames?.length ?? 0, 0, name);
});

test("the CRDs outlive the release, unless crds.keep or crds.enabled is false", () => {
  const crds = (...args: string[]) => chartObjects(...args).filter(({ kind }) => kind === "CustomResourceDefinition");
  const keep = "helm.sh/resource-policy";
  assert.deepEqual(
    crds().map(({ metadata }) => metadata.annotations?.[keep]),
    ["keep", "keep"],
  );
  assert.deepEqual(
    crds("--set", "crds.keep=false").map(({ metadata }) => metadata.annotations),
    [undefined, undefined],
  );
  assert.deepEqual(crds("--set", "crds.enabled=false"), []);
});

test("two releases share no cluster object except the CRDs", () => {
  const clusterWide = (release: string): string[] =>
    names(
      objectsIn(helm("template", release, CHART).stdout).filter(
        ({ kind, metadata }) => metadata.namespace === undefined && kind !== "CustomResourceDefinition",
      ),
    );
  const [one, other] = [clusterWide("one"), clusterWide("other")];
  assert.ok(one.length > 0);
  assert.deepEqual(
    one.filter((name) => other.includes(name)),
    [],
  );
});

test("the image is that of this version, or the one in the values", () => {
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  const image = (...args: string[]) => podSpecOf(only(chartObjects(...args), "DaemonSet")).containers[0]?.image;
  const path = "kubevirt-telemetry/kubevirt-telemetry";
  const repository = `ghcr.io/${path}`;
  assert.equal(image(), `${repository}:${version}`);
  assert.equal(image("--set", "image.tag=next"), `${repository}:next`);
  assert.equal(image("--set", "image.registry=mirror.example.com"), `mirror.example.com/${path}:${version}`);
  for (const [given, rest] of [
    ["localhost/a", "a"],
    ["registry:5000/a/b", "a/b"],
    ["team/a", "team/a"],
  ] as const)
    assert.equal(image("--set", `image.repository=${given},global.imageRegistry=m/`), `m/${rest}:${version}`);
  const digest = `sha256:${"ab".repeat(32)}`;
  assert.equal(image("--set", `image.tag=next,image.digest=${digest}`), `${repository}@${digest}`);
  const chart = helm("show", "chart", CHART).stdout;
  assert.equal(chart.match(/^version: (.*)$/m)?.[1], version);
  assert.ok(chart.includes(`image: ${repository}:${version}\n`), "for Artifact Hub");
});

test("the agent has one NODE_OPTIONS, that of the values if they have one", () => {
  const valuesOf = (...args: string[]): unknown[] => {
    const [agent] = podSpecOf(only(chartObjects(...args), "DaemonSet")).containers;
    return (agent?.env ?? []).flatMap(({ name, value }) => (name === "NODE_OPTIONS" ? [value] : []));
  };
  const own = [
    { name: "NO_PROXY", value: "*" },
    { name: "NODE_OPTIONS", value: "--max-old-space-size=100" },
  ];
  assert.deepEqual(valuesOf(), ["--permission --allow-fs-read=* --allow-fs-write=/spool"]);
  assert.deepEqual(valuesOf("--set-json", `agent.env=${JSON.stringify(own)}`), ["--max-old-space-size=100"]);
});

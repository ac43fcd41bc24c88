import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { globSync } from "node:fs";
import { symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { installManifest } from "../../scripts/generate/manifests.ts";
import { kubernetesPath } from "../../scripts/provision/cache.ts";
import { objectsIn, only, podSpecOf, VALUES_FILES, type ChartObject } from "../support/chart.ts";
import { docBlocks } from "../support/docs.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/** Components -> arguments of helm that give the same objects. */
const SAME: readonly (readonly [components: readonly string[], values: readonly string[]])[] = [
  [[], []],
  [["openshift"], valuesOf("openshift")],
  [["root-launchers"], valuesOf("root-launchers")],
  [["spool-in-pod"], ["--set", "agent.spool.type=emptyDir"]],
  [
    ["openshift", "root-launchers"],
    [...valuesOf("openshift"), ...valuesOf("root-launchers")],
  ],
];

interface Policy {
  readonly matchConditions: readonly { readonly expression: string }[];
}

function valuesOf(name: string): readonly string[] {
  return ["--values", VALUES_FILES.get(name) ?? ""];
}

/** Builds a kustomization that has this repository beside it, as a user has it. */
async function built(t: TestContext, kustomization: string): Promise<readonly ChartObject[]> {
  const directory = await temporaryDirectory(t);
  await symlink(process.cwd(), path.join(directory, "kubevirt-telemetry"));
  await writeFile(path.join(directory, "kustomization.yaml"), kustomization);
  return objectsIn(execFileSync(kubernetesPath("kubectl"), ["kustomize", directory], { encoding: "utf8" }));
}

function withComponents(components: readonly string[]): string {
  return JSON.stringify({
    apiVersion: "kustomize.config.k8s.io/v1beta1",
    kind: "Kustomization",
    resources: ["kubevirt-telemetry/manifests"],
    components: components.map((name) => `kubevirt-telemetry/manifests/components/${name}`),
  });
}

function sorted(objects: readonly ChartObject[]): readonly ChartObject[] {
  const keyOf = ({ kind, metadata }: ChartObject): string => `${kind} ${metadata.namespace ?? ""} ${metadata.name}`;
  return [...objects].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

for (const [components, values] of SAME)
  test(`kustomize with ${components.join(" and ") || "no component"} gives the objects of the chart`, async (t) => {
    assert.deepEqual(sorted(await built(t, withComponents(components))), sorted(objectsIn(installManifest(...values))));
  });

test("with another namespace an agent is still limited to its own node", async (t) => {
  const objects = await built(t, JSON.stringify({ ...JSON.parse(withComponents([])), namespace: "other" }));
  const { metadata } =
    objects.find(({ kind, metadata: { name } }) => kind === "ServiceAccount" && /agent$/.test(name)) ?? {};
  const account = `system:serviceaccount:${metadata?.namespace ?? ""}:${metadata?.name ?? ""}`;
  assert.match(account, /:other:/);
  const { matchConditions } = only(objects, "ValidatingAdmissionPolicy").spec as Policy;
  const [, start = "?", end = "?"] =
    /startsWith\('([^']+)'\) .*endsWith\('([^']+)'\)$/.exec(matchConditions[0]?.expression ?? "") ?? [];
  assert.ok(account.startsWith(start) && account.endsWith(end), `${start} ${end}`);
});

test("the kustomization in the install page builds, with the image that it names", async (t) => {
  const [example] = docBlocks("docs/install.md").filter(({ text }) => text.includes("kind: Kustomization"));
  const objects = await built(t, example?.text ?? "");
  for (const kind of ["DaemonSet", "Deployment"]) {
    const [container] = podSpecOf(only(objects, kind)).containers;
    assert.match(container?.image ?? "", /^registry\.example\.com\/kubevirt-telemetry:/, kind);
  }
  only(objects, "SecurityContextConstraints");
});

test("every component is compared with the chart", () => {
  const components = globSync("manifests/components/*").map((directory) => path.basename(directory));
  assert.deepEqual(components.sort(), [...new Set(SAME.flatMap(([names]) => names))].sort());
});

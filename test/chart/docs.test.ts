import assert from "node:assert/strict";
import { test } from "node:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { docBlocks, docTables } from "../support/docs.ts";
import { chartObjects, only, podSpecOf, VALUES_FILES, type ChartObject, type PodSpec } from "../support/chart.ts";
import { atEnd } from "../support/at-end.ts";

test("the values in the install page change the objects of the chart", async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), "values-"));
  atEnd(t, () => rm(directory, { recursive: true, force: true }));
  const file = path.join(directory, "values.yaml");
  const examples = docBlocks("docs/install.md").filter(
    ({ language, heading }) => language === "yaml" && heading !== "Install without Helm",
  );
  assert.ok(examples.length > 0);
  const byDefault = chartObjects();
  for (const { text } of examples) {
    await writeFile(file, text);
    assert.notDeepEqual(chartObjects("--values", file), byDefault, text);
  }
});

const tablesOfSecurity = docTables("docs/security.md");

test("the page on security has exactly the rights of the chart", () => {
  const documented = tablesOfSecurity.find(({ columns }) => columns[0] === "account")?.rows;
  const roles = chartObjects().filter(({ kind }) => kind === "ClusterRole" || kind === "Role");
  assert.deepEqual(documented?.map((row) => row.join(" ")).sort(), roles.flatMap(rightsOf).sort());
});

test("the page on security has the users, capabilities and mounts of the agents", () => {
  const documented = tablesOfSecurity.filter(({ columns }) => columns[0] === "container");
  const made = ["default", "root-launchers"].map((name) =>
    containersOf(podSpecOf(only(chartObjects("--values", VALUES_FILES.get(name) ?? ""), "DaemonSet"))),
  );
  assert.deepEqual(
    documented.map(({ rows }) => rows),
    made,
  );
});

function rightsOf({ kind, metadata, rules = [] }: ChartObject): string[] {
  const places = new Map([["default", "`default`"]]);
  const where = kind === "ClusterRole" ? "the cluster" : (places.get(metadata.namespace ?? "") ?? "its namespace");
  return rules.map(({ apiGroups = [], resources = [], resourceNames = [], verbs = [] }) => {
    const what = resources.flatMap((resource) => apiGroups.map((group) => code([resource, group])));
    const only = resources.includes("secrets")
      ? ", those in `secretNames`"
      : `, only ${resourceNames.map(quoted).join(", ")}`;
    const named = resourceNames.length > 0 ? only : "";
    return `\`${metadata.name}\` ${verbs.join(", ")} ${what.join(", ")}${named} ${where}`;
  });
}

function containersOf({ containers, initContainers = [], volumes = [] }: PodSpec): string[][] {
  return [...containers, ...initContainers].map(({ name, securityContext, volumeMounts = [] }) => {
    const { runAsUser, runAsGroup, capabilities } = securityContext as {
      readonly runAsUser: number;
      readonly runAsGroup: number;
      readonly capabilities: { readonly add?: readonly string[] };
    };
    const mounts = volumeMounts.map((mount) => {
      const volume = volumes.find((one) => one.name === mount.name)?.["hostPath"] as { readonly path: string };
      return `${quoted(volume.path)}${mount["readOnly"] === true ? " read-only" : ""}`;
    });
    const added = capabilities.add?.map(quoted).join(", ") ?? "none";
    return [quoted(name), quoted(`${runAsUser}:${runAsGroup}`), added, mounts.join(", ")];
  });
}

function code(parts: readonly string[]): string {
  return quoted(parts.filter((part) => part !== "").join("."));
}

function quoted(text: string): string {
  return `\`${text}\``;
}

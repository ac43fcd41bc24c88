import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "yaml";
import { chartObjects, only, podSpecOf } from "../support/chart.ts";

/** A valid name in Kubernetes that YAML reads as a number. */
const NAME = "1e3";

test("a name that looks like a number stays a text", () => {
  const values = {
    agent: { priorityClassName: NAME, runtimeClassName: NAME },
    podMonitor: { enabled: true, namespace: NAME, jobLabel: NAME },
    telemetryConfig: { create: true, name: NAME, spec: { targets: [{ name: "a", url: "https://a" }] } },
  };
  const objects = chartObjects(
    ...Object.entries(values).flatMap(([key, value]) => ["--set-json", `${key}=${JSON.stringify(value)}`]),
  );
  const { priorityClassName, runtimeClassName } = podSpecOf(only(objects, "DaemonSet"));
  const { metadata, spec } = only(objects, "PodMonitor");
  const { jobLabel } = spec as { readonly jobLabel: unknown };
  const text = objects.map(({ data }) => data?.["config.yaml"]).find((config) => config !== undefined);
  const config = parse(text ?? "") as { readonly metadata: { readonly name: unknown } };
  assert.deepEqual(
    [priorityClassName, runtimeClassName, metadata.namespace, jobLabel, config.metadata.name],
    [NAME, NAME, NAME, NAME, NAME],
  );
});

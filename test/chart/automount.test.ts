import assert from "node:assert/strict";
import { test } from "node:test";
import { chartObjects, only, podSpecOf, VALUES_FILES } from "../support/chart.ts";

test("a service account without automount has no token in its pods", () => {
  const objects = chartObjects("--set", "agent.serviceAccount.automount=false");
  const tokens = objects
    .filter(({ kind }) => kind === "ServiceAccount")
    .map((account) => account["automountServiceAccountToken"]);
  assert.deepEqual(tokens, [false, undefined]);
});

test("pods of an account that exists already have no token without automount", () => {
  const account = JSON.stringify({ create: false, name: "mine", automount: false });
  const values = `agent.serviceAccount=${account},controller.serviceAccount=${account}`;
  const objects = chartObjects("--set-json", values);
  for (const kind of ["DaemonSet", "Deployment"])
    assert.equal(podSpecOf(only(objects, kind))["automountServiceAccountToken"], false, kind);
});

test("pods without automount get their token from a volume of the values", () => {
  const directory = "/var/run/secrets/kubernetes.io/serviceaccount";
  const tuned = chartObjects("--values", VALUES_FILES.get("tuned") ?? "");
  const accounts = tuned.filter(({ kind }) => kind === "ServiceAccount");
  assert.deepEqual(
    accounts.map((account) => account["automountServiceAccountToken"]),
    [false, false],
  );
  for (const kind of ["DaemonSet", "Deployment"]) {
    const pod = podSpecOf(only(tuned, kind));
    const mount = pod.containers[0]?.volumeMounts?.find(({ mountPath }) => mountPath === directory);
    const volume = pod.volumes?.find(({ name }) => name === mount?.name);
    const { sources } = (volume?.["projected"] ?? assert.fail(kind)) as { sources: readonly object[] };
    assert.deepEqual(
      sources.flatMap((source) => Object.keys(source)),
      ["serviceAccountToken", "configMap", "downwardAPI"],
    );
  }
});

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { run, running } from "../../support/command-line.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

/** Returns the path of a kubeconfig whose API server does not exist. */
async function kubeconfig(t: TestContext): Promise<string> {
  const file = path.join(await temporaryDirectory(t), "kubeconfig");
  const config = {
    clusters: [{ name: "c", cluster: { server: "https://127.0.0.1:9" } }],
    users: [{ name: "u", user: { token: "a-token" } }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u", namespace: "telemetry" } }],
    "current-context": "x",
  };
  await writeFile(file, JSON.stringify(config));
  return file;
}

test("without a usable kubeconfig it ends with the reason", async () => {
  for (const args of [[], ["--namespace", "telemetry"]]) {
    const { exitCode, stdout, stderr } = await run(["controller", ...args], { KUBECONFIG: "/nonexistent/kubeconfig" });
    assert.deepEqual([exitCode, stdout], [1, ""]);
    assert.match(stderr, /^error: E_KUBE_CONFIG: the kubeconfig cannot be read: /);
  }
});

test("it waits for an unreachable API server until the signal, in the kubeconfig's namespace", async (t) => {
  const started = /"identity":".+","namespace":"telemetry","msg":"started"/;
  const { stop, exitCode } = await running(t, ["controller"], started, { KUBECONFIG: await kubeconfig(t) });
  stop();
  assert.equal(await exitCode, 0);
});

test("--namespace and --identity are used", async (t) => {
  const args = ["controller", "--namespace", "other", "--identity", "pod-a"];
  const started = /"identity":"pod-a","namespace":"other","msg":"started"/;
  await running(t, args, started, { KUBECONFIG: await kubeconfig(t) });
});

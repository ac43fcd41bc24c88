import assert from "node:assert/strict";
import { test } from "node:test";
import { clusterSecrets } from "../../../src/cluster/secrets.ts";
import type { KubeAnswer } from "../../../src/kubernetes/answer.ts";
import type { KubeClient } from "../../../src/kubernetes/api.ts";
import { INHERITED_NAMES } from "../../support/inherited-names.ts";

function secrets(answer: Omit<KubeAnswer, "headers">): {
  readonly paths: string[];
  readonly read: ReturnType<typeof clusterSecrets>["read"];
} {
  const paths: string[] = [];
  const client: KubeClient = {
    request: ({ path }) => {
      paths.push(path);
      return Promise.resolve({ headers: {}, ...answer });
    },
    watch: () => Promise.reject(new Error("secrets are not watched")),
  };
  return { paths, read: clusterSecrets(client, "telemetry").read };
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

test("a key of a Secret or ConfigMap is read without its final newline", async () => {
  const secret = secrets({ status: 200, body: { data: { token: base64("very secret\n") } } });
  assert.equal(await secret.read("Secret", "influx", "token"), "very secret");
  assert.deepEqual(secret.paths, ["/api/v1/namespaces/telemetry/secrets/influx"]);
  const map = secrets({ status: 200, body: { data: { "ca.crt": "PEM" }, binaryData: { der: base64("DER") } } });
  assert.equal(await map.read("ConfigMap", "authority", "ca.crt"), "PEM");
  assert.equal(await map.read("ConfigMap", "authority", "der"), "DER");
  assert.equal(map.paths[0], "/api/v1/namespaces/telemetry/configmaps/authority");
});

for (const [what, answer, code, says] of [
  ["a missing Secret", { status: 404, body: { message: "secrets not found" } }, "E_SECRET_NOT_FOUND", /404/],
  ["a Secret that the Role does not name", { status: 403, body: {} }, "E_SECRET_NOT_FOUND", /Role must name it/],
  ["a missing key", { status: 200, body: { data: { other: "eA==" } } }, "E_SECRET_NOT_FOUND", /`token`/],
  ["an answer that is not a Secret", { status: 200, body: "?" }, "E_SECRET_NOT_FOUND", /does not exist/],
  ["a server that is busy", { status: 503, body: "" }, "E_KUBE_REFUSED", /503/],
] as const) {
  test(`${what} is an error that names the Secret and contains no value`, async () => {
    await assert.rejects(
      secrets(answer).read("Secret", "influx", "token"),
      (error: { code: string; message: string }) => {
        assert.equal(error.code, code);
        assert.match(error.message, says);
        assert.match(error.message, /`influx`/);
        assert.doesNotMatch(error.message, /eA==/);
        return true;
      },
    );
  });
}

test("a key such as constructor does not exist unless the Secret has it", async () => {
  for (const key of INHERITED_NAMES) {
    const empty = secrets({ status: 200, body: { data: {}, binaryData: {} } });
    await assert.rejects(empty.read("Secret", "influx", key), { code: "E_SECRET_NOT_FOUND" });
    const body = { data: Object.fromEntries([[key, base64("own")]]) };
    assert.equal(await secrets({ status: 200, body }).read("Secret", "influx", key), "own");
  }
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { apply, type ApplyOutcome } from "../../../src/kubernetes/apply.ts";
import { KubeError } from "../../../src/kubernetes/kube-error.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeKubeClient, type KubeFault } from "../../support/fake-kube-client.ts";

const PATH = "/apis/example.org/v1/nodetelemetries/n1";
const OBJECT = { apiVersion: "example.org/v1", kind: "NodeTelemetry", metadata: { name: "n1" } };

async function applied(fault: KubeFault, client = new FakeKubeClient(new FakeClock())): Promise<ApplyOutcome> {
  client.fault = fault;
  return apply(client, { path: PATH, object: OBJECT, fieldManager: "me", nowMs: 0 });
}

test("an apply creates an object, then changes it", async () => {
  const client = new FakeKubeClient(new FakeClock());
  assert.equal((await applied(() => undefined, client)).kind, "applied");
  assert.equal((await applied(() => undefined, client)).kind, "applied");
  const [request] = client.requests;
  assert.deepEqual(request?.query, { fieldManager: "me", force: true });
  assert.equal(request.contentType, "application/apply-patch+yaml");
});

const OUTCOMES: readonly (readonly [number, ApplyOutcome])[] = [
  [403, { kind: "rejected", status: 403, message: "words" }],
  [404, { kind: "rejected", status: 404, message: "words" }],
  [409, { kind: "rejected", status: 409, message: "words" }],
  [422, { kind: "rejected", status: 422, message: "words" }],
  [429, { kind: "retry", message: "429 words", afterMs: 4_000 }],
  [500, { kind: "retry", message: "500 words", afterMs: 4_000 }],
  [503, { kind: "retry", message: "503 words", afterMs: 4_000 }],
];
for (const [status, outcome] of OUTCOMES) {
  test(`a status ${status} for an apply is an outcome of kind ${outcome.kind}`, async () => {
    const answer = { status, body: { message: "words" }, headers: { "retry-after": "4" } };
    assert.deepEqual(await applied(() => answer), outcome);
  });
}

test("an apply without an answer can be retried; any other error is thrown", async () => {
  const lost = await applied(() => {
    throw new KubeError("E_KUBE_UNREACHABLE", "no server");
  });
  assert.deepEqual(lost, { kind: "retry", message: "no server" });
  const fault = (): never => {
    throw new TypeError("a bug");
  };
  await assert.rejects(applied(fault), /a bug/);
});

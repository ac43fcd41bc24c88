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
  return apply(client, { path: PATH, object: OBJECT, fieldManager: "me", force: true, nowMs: 0 });
}

test("an apply creates an object and changes it, and says which", async () => {
  const client = new FakeKubeClient(new FakeClock());
  const first = await applied(() => undefined, client);
  const second = await applied(() => undefined, client);
  assert.deepEqual(
    [first, second].map((outcome) => outcome.kind === "applied" && outcome.created),
    [true, false],
  );
  const [request] = client.requests;
  assert.deepEqual(request?.query, { fieldManager: "me", force: true });
  assert.equal(request.contentType, "application/apply-patch+yaml");
});

const OUTCOMES: readonly (readonly [number, ApplyOutcome])[] = [
  [403, { kind: "refused", status: 403, message: "words" }],
  [404, { kind: "refused", status: 404, message: "words" }],
  [409, { kind: "conflict", message: "words" }],
  [422, { kind: "refused", status: 422, message: "words" }],
  [429, { kind: "retry", message: "429 words", afterMs: 4_000 }],
  [500, { kind: "retry", message: "500 words", afterMs: 4_000 }],
  [503, { kind: "retry", message: "503 words", afterMs: 4_000 }],
];
for (const [status, outcome] of OUTCOMES) {
  test(`an answer ${status} to an apply is: ${outcome.kind}`, async () => {
    const answer = { status, body: { message: "words" }, headers: { "retry-after": "4" } };
    assert.deepEqual(await applied(() => answer), outcome);
  });
}

test("no answer to an apply is worth another try, and what is no fault of the network is not hidden", async () => {
  const lost = await applied(() => {
    throw new KubeError("E_KUBE_UNREACHABLE", "nobody there");
  });
  assert.deepEqual(lost, { kind: "retry", message: "nobody there" });
  const fault = (): never => {
    throw new TypeError("a bug");
  };
  await assert.rejects(applied(fault), /a bug/);
});

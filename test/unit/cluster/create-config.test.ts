import assert from "node:assert/strict";
import { test } from "node:test";
import { createConfig } from "../../../src/cluster/create-config.ts";
import { KubeError } from "../../../src/kubernetes/kube-error.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeKubeClient, type KubeFault } from "../../support/fake-kube-client.ts";

const COLLECTION = "/apis/kubevirt-telemetry.io/v1alpha1/telemetryconfigs";

function object(interval: string) {
  return {
    apiVersion: "kubevirt-telemetry.io/v1alpha1",
    kind: "TelemetryConfig",
    metadata: { name: "default" },
    spec: { collection: { interval } },
  };
}

function setUp(faults: readonly (ReturnType<KubeFault> | "none")[] = []) {
  const clock = new FakeClock();
  const client = new FakeKubeClient(clock);
  const left = [...faults];
  client.fault = () => {
    const fault = left.shift();
    return fault === "none" ? undefined : fault;
  };
  const waited: string[] = [];
  const ending = new AbortController();
  const options = { client, clock, waiting: (why: string) => waited.push(why), signal: ending.signal };
  return { clock, client, waited, ending, options, stored: () => client.objects.get(COLLECTION, "default") };
}

function status(code: number, message: string) {
  return { status: code, body: { kind: "Status", code, message } };
}

test("a TelemetryConfig is created if none has its name", async () => {
  const { options, stored } = setUp();
  assert.equal(await createConfig(object("5s"), options), "created");
  assert.deepEqual(stored()?.["spec"], object("5s").spec);
});

test("an existing TelemetryConfig is not changed", async () => {
  const { options, stored } = setUp();
  await createConfig(object("1s"), options);
  assert.equal(await createConfig(object("5s"), options), "exists");
  assert.deepEqual(stored()?.["spec"], object("1s").spec);
});

test("a missing kind, missing rights and a missing server are retried", async () => {
  const early = [status(404, "the server could not find it"), status(403, "not allowed"), "lost"] as const;
  const { options, clock, waited } = setUp(early);
  const made = createConfig(object("5s"), options);
  await clock.advance(10_000);
  assert.equal(await made, "created");
  assert.deepEqual(waited, [
    "TelemetryConfig not created: 404 the server could not find it",
    "TelemetryConfig not created: 403 not allowed",
    "no server",
  ]);
});

test("an object that the server rejects is not sent again", async () => {
  const { options, client } = setUp([status(422, "spec.targets: Required value")]);
  await assert.rejects(createConfig(object("5s"), options), {
    code: "E_KUBE_REFUSED",
    message: "TelemetryConfig not created: 422 spec.targets: Required value",
  });
  assert.equal(client.requests.length, 1);
});

test("when the signal aborts the last reason is thrown", async () => {
  const { options, client, ending, clock } = setUp();
  client.fault = () => status(404, "no such kind");
  const made = createConfig(object("5s"), options);
  const rejected = assert.rejects(
    made,
    (error) => error instanceof KubeError && error.message.includes("no such kind"),
  );
  await clock.advance(5_000);
  ending.abort();
  await rejected;
});

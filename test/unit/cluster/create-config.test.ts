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

test("a TelemetryConfig is made where there is none of its name", async () => {
  const { options, stored } = setUp();
  assert.equal(await createConfig(object("5s"), options), "created");
  assert.deepEqual(stored()?.["spec"], object("5s").spec);
});

test("one that is there stays as its owner has made it", async () => {
  const { options, stored } = setUp();
  await createConfig(object("1s"), options);
  assert.equal(await createConfig(object("5s"), options), "exists");
  assert.deepEqual(stored()?.["spec"], object("1s").spec);
});

test("a kind and a right that come later are waited for, and so is a server that is away", async () => {
  const early = [status(404, "the server could not find it"), status(403, "not allowed"), "lost"] as const;
  const { options, clock, waited } = setUp(early);
  const made = createConfig(object("5s"), options);
  await clock.advance(10_000);
  assert.equal(await made, "created");
  assert.deepEqual(waited, [
    "the TelemetryConfig is not made: 404 the server could not find it",
    "the TelemetryConfig is not made: 403 not allowed",
    "no server",
  ]);
});

test("an object that the server does not take is not sent again", async () => {
  const { options, client } = setUp([status(422, "spec.targets: Required value")]);
  await assert.rejects(createConfig(object("5s"), options), {
    code: "E_KUBE_REFUSED",
    message: "the TelemetryConfig is not made: 422 spec.targets: Required value",
  });
  assert.equal(client.requests.length, 1);
});

test("when time is up the last reason is what is reported", async () => {
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

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { OwnNode } from "../../../src/cluster/node-object.ts";
import type { KubeRequest } from "../../../src/kubernetes/api.ts";
import { reportNode } from "../../../src/cluster/node-reporter.ts";
import type { NodeObservation } from "../../../src/status/node-report.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeKubeClient, type KubeFault } from "../../support/fake-kube-client.ts";
import { failure } from "../../support/fake-objects.ts";
import { observation } from "../../support/observation.ts";
import { atEnd } from "../../support/at-end.ts";

const REPORTS = "/apis/kubevirt-telemetry.io/v1alpha1/nodetelemetries";
const HOUR_MS = 3_600_000;

/** An agent of the node `n1` that reports to a fake API server. */
function bench(t: TestContext, { nodeUid }: { readonly nodeUid?: string | undefined } = { nodeUid: "n1-first" }) {
  const clock = new FakeClock();
  const client = new FakeKubeClient(clock);
  const logged: string[] = [];
  const state = { nodeUid, observation: observation() };
  const nodeOrElse =
    (other: KubeFault): KubeFault =>
    (request) => {
      if (request.path !== "/api/v1/nodes/n1") return other(request);
      if (state.nodeUid === undefined) return failure(404, "nodes n1 not found");
      return { status: 200, body: { metadata: { name: "n1", uid: state.nodeUid } } };
    };
  client.fault = nodeOrElse(() => undefined);
  const stop = new AbortController();
  const done = reportNode(
    {
      client,
      node: new OwnNode(client, "n1", clock),
      observe: () => state.observation,
      clock,
      random: () => 0.5,
      failed: (message) => logged.push(message),
    },
    stop.signal,
  );
  atEnd(t, async () => {
    stop.abort();
    await clock.advance(0);
    await done;
  });
  const report = () => client.objects.get(REPORTS, "n1") as { metadata: object; status?: object } | undefined;
  return { clock, client, state, logged, report, nodeOrElse };
}

/** Returns the owner UIDs of the requests that create the object. */
function owners(requests: readonly KubeRequest[]): unknown[] {
  return requests.map(
    ({ body }) => (body as { metadata: { ownerReferences: { uid: string }[] } }).metadata.ownerReferences[0]?.uid,
  );
}

const idle: Partial<NodeObservation> = { config: undefined, selectedBy: [] };

test("a report is owned by the Node and written within a minute of the start", async (t) => {
  const { clock, client, report } = bench(t);
  await clock.advance(60_000);
  assert.deepEqual(owners(client.of("PATCH", "/n1")), ["n1-first"]);
  assert.notEqual(report()?.status, undefined);
});

test("a report that was deleted with its Node is created again, owned by the new Node", async (t) => {
  const { clock, client, state, logged, report } = bench(t);
  await clock.advance(60_000);
  client.objects.delete(REPORTS, "n1");
  state.nodeUid = "n1-second";
  state.observation = observation(idle);
  await clock.advance(HOUR_MS);
  assert.deepEqual(owners(client.of("PATCH", "/n1")), ["n1-first", "n1-second"]);
  assert.notEqual(report()?.status, undefined);
  assert.deepEqual(logged, ["n1 not found"]);
});

test("without a Node there is no report, and retries back off", async (t) => {
  const { clock, client, state, logged, report } = bench(t, {});
  await clock.advance(HOUR_MS);
  assert.equal(client.of("PATCH", "/n1").length, 0);
  assert.ok(logged.length > 20 && logged.length < 40, `${logged.length} tries`);
  assert.match(logged[0] ?? "", /the Node n1 cannot be read: 404/);
  state.nodeUid = "n1-late";
  await clock.advance(400_000);
  assert.notEqual(report()?.status, undefined);
});

test("failed writes do not create the object again", async (t) => {
  const { clock, client, logged, report, nodeOrElse } = bench(t);
  const answers = ["lost", failure(403, "denied by policy"), failure(500, "etcd is away"), undefined] as const;
  let asked = 0;
  client.fault = nodeOrElse(({ path }) => (path.endsWith("/status") ? answers[asked++] : undefined));
  await clock.advance(HOUR_MS);
  assert.equal(asked >= answers.length, true);
  assert.equal(client.of("PATCH", "/n1").length, 1);
  assert.deepEqual(logged, ["denied by policy"]);
  assert.notEqual(report()?.status, undefined);
});

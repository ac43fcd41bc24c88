import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { VMIS } from "../../../src/cluster/kinds.ts";
import { VmiWatch } from "../../../src/cluster/vmi-watch.ts";
import { ALL_VMS, namingRules } from "../../../src/node/endpoints.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeKubeClient } from "../../support/fake-kube-client.ts";
import { turns } from "../../support/turns.ts";

test("VMIs are kept with their facts only while these are wanted", async () => {
  const clock = new FakeClock();
  const client = new FakeKubeClient(clock);
  const metadata = { namespace: "shop", name: "web", uid: "u1", labels: { "kubevirt.io/nodeName": "n1" } };
  client.objects.put(VMIS, { metadata, spec: {}, status: { phase: "Running", activePods: { "pod-1": "n1" } } });
  const log = pino({ level: "silent" });
  await using watch = new VmiWatch({ client, nodeName: "n1", rules: namingRules(ALL_VMS, "n1"), log, clock });
  watch.start();
  await watch.synced;
  const lists = (): number => client.requests.filter(({ query }) => query?.["watch"] === undefined).length;
  const phase = (): unknown => watch.inventory.vmiOf("pod-1")?.facts?.phase;
  assert.deepEqual([phase(), lists()], [undefined, 2]);
  for (const [wanted, expected, count] of [
    [false, undefined, 2],
    [true, "Running", 4],
    [true, "Running", 4],
    [false, undefined, 6],
  ] as const) {
    watch.withFacts = wanted;
    await turns(60);
    assert.deepEqual([phase(), lists()], [expected, count]);
  }
});

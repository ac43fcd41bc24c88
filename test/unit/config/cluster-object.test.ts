import assert from "node:assert/strict";
import { test } from "node:test";
import { readClusterObject } from "../../../src/config/cluster-object.ts";
import { FAMILY_NAMES } from "../../../src/contract.ts";

const TARGET = { name: "central", url: "https://influx.example.com", v2: { org: "o", bucket: "b" } };

/** Returns an object as from the API server, but without defaults, which the check fills in too. */
function object(spec: object): object {
  return {
    apiVersion: "kubevirt-telemetry.io/v1alpha1",
    kind: "TelemetryConfig",
    metadata: { name: "pool", uid: "u-1", generation: 3, creationTimestamp: "2026-01-02T03:04:05Z", managedFields: [] },
    spec: { targets: [TARGET], ...spec },
    status: { conditions: [] },
  };
}

test("an object of the cluster is read with the fields of its precedence", () => {
  const read = readClusterObject(object({ priority: 7, nodeSelector: { matchLabels: { pool: "virt" } } }));
  assert.ok(read?.config);
  const { config, ...rest } = read;
  assert.deepEqual(rest, {
    name: "pool",
    uid: "u-1",
    generation: 3,
    createdMs: Date.UTC(2026, 0, 2, 3, 4, 5),
    state: "Active",
    priority: 7,
    nodeSelector: { matchLabels: { pool: "virt" } },
    faults: [],
  });
  assert.equal(config.metadata.name, "pool");
  assert.equal(config.spec.collection.interval, "5s");
});

test("fields of a newer version are ignored at every depth", () => {
  const read = readClusterObject(
    object({ fresh: 1, collection: { jitter: "1s" }, targets: [{ ...TARGET, v2: { ...TARGET.v2, newer: {} } }] }),
  );
  assert.deepEqual(read?.faults, []);
  assert.equal(Object.hasOwn(read.config?.spec ?? {}, "fresh"), false);
});

test("invalid values are faults with their path and without the value", () => {
  const read = readClusterObject(
    object({
      collection: { families: ["Metrics", "Filesystems"], interval: 5 },
      targets: [{ ...TARGET, url: "ftp://x" }],
    }),
  );
  assert.equal(read?.config, undefined);
  assert.deepEqual(read?.faults, [
    `spec.collection.families[1]: must be ${FAMILY_NAMES.map((family) => `\`${family}\``).join(" or ")}`,
    "spec.collection.interval: must be a duration such as 5s, 500ms or 1h30m: the unit is missing, write 5s",
    "spec.targets[0].url: must be an http or https URL that begins with its scheme, such as https://influxdb.example.com:8086",
  ]);
});

test("an unreadable object still governs the nodes that it selects", () => {
  const read = readClusterObject(
    object({ state: "DryRun", priority: 5, nodeSelector: { matchLabels: { pool: "virt" } } }),
  );
  assert.equal(read?.config, undefined);
  assert.deepEqual(
    { state: read?.state, priority: read?.priority, nodeSelector: read?.nodeSelector },
    { state: "Active", priority: 5, nodeSelector: { matchLabels: { pool: "virt" } } },
  );
});

test("an unreadable node selector selects all nodes", () => {
  const matchExpressions = [{ key: "pool", operator: "Like", values: ["v*"] }];
  const read = readClusterObject(object({ nodeSelector: { matchExpressions } }));
  assert.deepEqual(read?.nodeSelector, {});
  assert.equal(read.faults.length, 1);
});

test("a value that is not an object is ignored; an object without a spec is a fault", () => {
  for (const raw of [undefined, null, 3, {}, { metadata: {} }]) assert.equal(readClusterObject(raw), undefined);
  const read = readClusterObject({ metadata: { name: "empty", uid: "u" } });
  assert.deepEqual(read?.faults, ["spec: must be an object, is empty"]);
  assert.equal(read.priority, 0);
});

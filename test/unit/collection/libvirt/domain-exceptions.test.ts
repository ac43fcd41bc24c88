import assert from "node:assert/strict";
import { test } from "node:test";
import type { VmName } from "../../../../src/collection/libvirt/domain-history.ts";
import type { DomainRef } from "../../../../src/libvirt/types.ts";
import { SimulatedEndpoint } from "../../../support/simulated-endpoint.ts";

test("an exception in one domain is reported with its name and does not affect other domains", async (t) => {
  const unreadable = {
    name: "vm-002",
    get namespace(): string {
      throw new Error("a bug");
    },
  };
  const name = (domain: DomainRef): VmName => {
    if (domain.name === "vm-003") throw new Error("another bug");
    return domain.name === "vm-002" ? unreadable : domain;
  };
  const endpoint = await SimulatedEndpoint.start(t, { domains: 4, identify: name });
  const { outcome, samples, errors } = await endpoint.cycle();
  assert.equal(outcome, "collected");
  assert.deepEqual(
    samples.map(({ identity }) => identity.name),
    ["vm-001", "vm-004"],
  );
  assert.deepEqual(errors.map(({ code, message }) => `${code} ${message}`).sort(), [
    "E_INTERNAL collecting vm-002 failed unexpectedly: a bug",
    "E_INTERNAL collecting vm-003 failed unexpectedly: another bug",
  ]);
});

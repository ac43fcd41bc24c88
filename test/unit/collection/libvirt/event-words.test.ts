import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { describeEvent } from "../../../../src/collection/libvirt/event-words.ts";
import { DOMAIN_EVENT, type DomainEventName } from "../../../../src/libvirt/protocol.ts";
import type { DomainEvent, TypedValue } from "../../../../src/libvirt/types.ts";

const DOMAIN = { name: "web", uuid: "6b6f8c52-3f5e-4e2a-9a53-0c4f9c1f7a01", id: 3 };

function words(name: DomainEventName, event: Partial<DomainEvent> = {}): readonly (string | undefined)[] | undefined {
  const described = describeEvent({ name, domain: DOMAIN, numbers: [], ...event });
  return described && [described.kind, described.detail, described.device];
}

test("an event has libvirt's words in kebab case, and its device", () => {
  for (const [name, event, expected] of [
    ["LIFECYCLE", { numbers: [2, 0] }, ["lifecycle", "started-booted", undefined]],
    ["LIFECYCLE", { numbers: [3, 2] }, ["lifecycle", "suspended-io-error", undefined]],
    ["LIFECYCLE", { numbers: [5, 2] }, ["lifecycle", "stopped-crashed", undefined]],
    ["LIFECYCLE", { numbers: [6, 1] }, ["lifecycle", "shutdown-guest", undefined]],
    ["LIFECYCLE", { numbers: [8, 0] }, ["lifecycle", "crashed-panicked", undefined]],
    ["REBOOT", {}, ["reboot", undefined, undefined]],
    ["WATCHDOG", { numbers: [2] }, ["watchdog", "reset", undefined]],
    ["IO_ERROR_REASON", { numbers: [1], device: "ua-root", reason: "enospc" }, ["io-error", "paused-enospc", "root"]],
    ["IO_ERROR_REASON", { numbers: [2], device: "virtio-disk0" }, ["io-error", "reported", "virtio-disk0"]],
    ["BALLOON_CHANGE", { numbers: [2_048] }, ["balloon", "2048 KiB", undefined]],
    ["DEVICE_ADDED", { device: "net1" }, ["device-added", undefined, "net1"]],
    ["DEVICE_REMOVED", { device: "" }, ["device-removed", undefined, undefined]],
    ["BLOCK_JOB_2", { numbers: [2, 0], device: "vda" }, ["job-completed", "copy-completed", "vda"]],
    ["BLOCK_JOB_2", { numbers: [4, 1], device: "vda" }, ["job-completed", "active-commit-failed", "vda"]],
    ["AGENT_LIFECYCLE", { numbers: [2, 1] }, ["agent", "disconnected", undefined]],
    ["BLOCK_THRESHOLD", { numbers: [4_096, 1], device: "vdb" }, ["block-threshold", "4096 bytes", "vdb"]],
    ["MEMORY_FAILURE", { numbers: [1, 3, 0] }, ["memory-failure", "guest-reset", undefined]],
  ] as const)
    assert.deepEqual(words(name, event), expected);
});

test("a finished job has its operation, and says if it has failed", () => {
  const ended = (...params: [string, TypedValue][]): unknown =>
    words("JOB_COMPLETED", { params: new Map(params) })?.[1];
  assert.equal(ended(["operation", 5]), "migration-out-completed");
  assert.equal(ended(["operation", 9], ["success", false]), "backup-failed");
  assert.equal(ended(["operation", "5"]), "unknown-completed");
});

test("the definition of a domain, a job that goes on and a pass of a migration are no events", () => {
  assert.equal(words("LIFECYCLE", { numbers: [0, 1] }), undefined);
  assert.equal(words("LIFECYCLE", { numbers: [1, 0] }), undefined);
  assert.equal(words("BLOCK_JOB_2", { numbers: [2, 3], device: "vda" }), undefined);
  assert.equal(words("MIGRATION_ITERATION", { numbers: [1] }), undefined);
});

test("whatever a daemon sends is short, printable words", () => {
  const names = fc.constantFrom(...(Object.keys(DOMAIN_EVENT) as DomainEventName[]));
  const text = fc.string({ unit: "binary", maxLength: 1_000 });
  fc.assert(
    fc.property(names, fc.array(fc.integer()), text, text, (name, numbers, device, reason) => {
      for (const word of words(name, { numbers, device, reason }) ?? [])
        assert.doesNotMatch(word ?? "", /\p{Cc}|.{300}/u);
    }),
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { QemuResponses } from "../../../../src/collection/libvirt/qemu-responses.ts";
import type { UnansweredDomains } from "../../../../src/collection/source.ts";
import { LibvirtError } from "../../../../src/libvirt/errors.ts";
import type { DomainControlInfo, DomainRef } from "../../../../src/libvirt/types.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

const WEB: DomainRef = { name: "web", uuid: "u", id: 1 };

/** Returns the responses of a domain that has been known for more than a minute. */
async function bench() {
  const clock = new FakeClock();
  const responses = new QemuResponses(clock);
  responses.retain([WEB]);
  await clock.advance(60_000);
  responses.recordSilence(WEB, clock.monotonic());
  return { clock, responses };
}

async function reason(
  responses: QemuResponses,
  control: DomainControlInfo | LibvirtError,
  blockedSince?: number,
): Promise<keyof UnansweredDomains> {
  const ask = (): Promise<DomainControlInfo> =>
    control instanceof LibvirtError ? Promise.reject(control) : Promise.resolve(control);
  const { stuck, busy } = await responses.classify({ unanswered: [WEB], notCalled: [] }, () => blockedSince, ask);
  return stuck.length > 0 ? "stuck" : busy.length > 0 ? "busy" : "slow";
}

const OCCUPIED: DomainControlInfo = { state: 2, details: 0, stateTimeMs: 10_000 };

for (const [what, control, expected] of [
  ["has a command that QEMU has not answered for ten seconds", OCCUPIED, "stuck"],
  ["has a recent command, because QEMU answers each one slowly", { ...OCCUPIED, stateTimeMs: 900 }, "slow"],
  ["has a job while it migrates", { state: 1, details: 0, stateTimeMs: 300_000 }, "busy"],
  ["has a job that does not talk to QEMU at the moment", { state: 3, details: 3, stateTimeMs: 0 }, "busy"],
  ["has lost its monitor", { state: 3, details: 2, stateTimeMs: 0 }, "stuck"],
  ["is free again", { state: 0, details: 0, stateTimeMs: 0 }, "slow"],
  ["is gone", new LibvirtError("E_LIBVIRT_REMOTE", "no domain", { libvirtCode: 42 }), "slow"],
] as const)
  test(`a domain that has not answered for ten seconds and ${what} is ${expected}`, async () => {
    const { clock, responses } = await bench();
    await clock.advance(10_000);
    assert.equal(await reason(responses, control), expected);
  });

test("the time without an answer starts at the first unanswered call", async () => {
  const { clock, responses } = await bench();
  await clock.advance(9_999);
  assert.equal(await reason(responses, OCCUPIED), "slow");
  responses.recordAnswer(WEB);
  responses.recordSilence(WEB, clock.monotonic());
  await clock.advance(9_999);
  assert.equal(await reason(responses, OCCUPIED), "slow");
  await clock.advance(1);
  assert.equal(await reason(responses, OCCUPIED), "stuck");
});

test("after a late answer, the time without an answer starts at the call that is blocked now", async () => {
  const { clock, responses } = await bench();
  await clock.advance(10_000);
  assert.equal(await reason(responses, OCCUPIED, clock.monotonic() - 1_000), "slow");
});

test("a restarted domain is starting again", async () => {
  const { responses } = await bench();
  assert.equal(responses.isStarting(WEB), false);
  const again = { ...WEB, id: 2 };
  responses.retain([again]);
  assert.equal(responses.isStarting(again), true);
});

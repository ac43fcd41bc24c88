import assert from "node:assert/strict";
import { test } from "node:test";
import { CycleErrors } from "../../../../src/collection/libvirt/cycle-errors.ts";
import { BudgetError } from "../../../../src/errors.ts";
import { LibvirtError, overLimit } from "../../../../src/libvirt/errors.ts";

function rejectionOf(error: unknown, vm?: string): unknown {
  const found = new CycleErrors(vm);
  found.report(new LibvirtError("E_LIBVIRT_TIMEOUT", "no answer"), { tolerate: true });
  found.report(error, { tolerate: true });
  return found.rejection && [found.rejection.rejection, found.rejection.message];
}

test("an exceeded limit is a rejection that names the VM, also while the launcher starts", () => {
  const error = new BudgetError("Domains", "more than 1 running domain");
  assert.deepEqual(rejectionOf(error, "shop/web"), [
    "Domains",
    "the launcher of shop/web exceeds its budget: more than 1 running domain",
  ]);
  assert.deepEqual(rejectionOf(error), ["Domains", "the launcher exceeds its budget: more than 1 running domain"]);
});

test("an exceeded limit of the client is a rejection with the same reason", () => {
  const error = overLimit("UnaskedPackets", "too many packets");
  assert.deepEqual(rejectionOf(error, "shop/web"), [
    "UnaskedPackets",
    "the launcher of shop/web exceeds its budget: too many packets",
  ]);
});

test("another error is no rejection", () => {
  assert.equal(rejectionOf(new LibvirtError("E_LIBVIRT_CLOSED", "closed")), undefined);
  assert.equal(rejectionOf(new TypeError("a bug")), undefined);
});

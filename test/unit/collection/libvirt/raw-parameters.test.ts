import assert from "node:assert/strict";
import { test } from "node:test";
import { unsupportedGroups } from "../../../../src/collection/libvirt/raw-parameters.ts";
import { RAW_GROUP_NAMES } from "../../../../src/contract.ts";

test("a group is unsupported if one of the daemons is older than it", () => {
  const of = (...versions: readonly string[]): readonly string[] => unsupportedGroups(RAW_GROUP_NAMES, versions);
  assert.deepEqual(of(), []);
  assert.deepEqual(of("9.0.0", "12.7.0"), []);
  assert.deepEqual(of("8.8.9", "12.7.0"), ["Vm"]);
  assert.deepEqual(of("7.1.0"), ["DirtyRate", "Vm"]);
  assert.deepEqual(of("4.9.0"), ["Iothread", "Memory", "DirtyRate", "Vm"]);
});

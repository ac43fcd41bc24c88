import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ERROR_CODES } from "../../src/errors.ts";

test("docs/errors.md has exactly one section for every code", () => {
  const documented = [...readFileSync("docs/errors.md", "utf8").matchAll(/^### (E_\w+)$/gm)].map(([, code]) => code);
  // The libvirt client depends on no other part, so its errors.ts has its codes, as a type.
  const ofLibvirt = readFileSync("src/libvirt/errors.ts", "utf8").matchAll(/\| "(E_LIBVIRT_\w+)"/g);
  const codes = [...ERROR_CODES, ...[...ofLibvirt].map(([, code]) => code)];
  assert.deepEqual(documented.sort(), codes.sort());
});

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ERROR_CODES } from "../../src/errors.ts";

test("docs/errors.md has one section for every code, and none for others", () => {
  const documented = [...readFileSync("docs/errors.md", "utf8").matchAll(/^### (E_\w+)$/gm)].map(([, code]) => code);
  // The libvirt client is a library of its own; its codes are a type in its errors.ts.
  const ofLibvirt = readFileSync("src/libvirt/errors.ts", "utf8").matchAll(/\| "(E_LIBVIRT_\w+)"/g);
  const codes = [...ERROR_CODES, ...[...ofLibvirt].map(([, code]) => code)];
  assert.deepEqual(documented.sort(), codes.sort());
});

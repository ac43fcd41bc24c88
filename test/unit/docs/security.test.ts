import assert from "node:assert/strict";
import { test } from "node:test";
import { PROCEDURE } from "../../../src/libvirt/protocol.ts";
import { docTables } from "../../support/docs.ts";

test("the page on security lists every call of the libvirt client", () => {
  const calls = docTables("docs/security.md")
    .find(({ columns }) => columns[0] === "call")
    ?.rows.map(([call]) => call);
  assert.deepEqual(
    calls?.sort(),
    Object.keys(PROCEDURE)
      .map((call) => `\`${call}\``)
      .sort(),
  );
});

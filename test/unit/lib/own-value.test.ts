import assert from "node:assert/strict";
import { test } from "node:test";
import { ownValue } from "../../../src/lib/own-value.ts";
import { INHERITED_NAMES } from "../../support/inherited-names.ts";

test("a key that a record only inherits has no value, and one that it has itself has its own", () => {
  for (const key of INHERITED_NAMES) {
    assert.equal(ownValue({}, key), undefined, key);
    assert.equal(ownValue(Object.fromEntries([[key, "own"]]), key), "own", key);
  }
});

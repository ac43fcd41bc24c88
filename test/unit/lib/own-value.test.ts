import assert from "node:assert/strict";
import { test } from "node:test";
import { ownValue } from "../../../src/lib/own-value.ts";
import { INHERITED_NAMES } from "../../support/inherited-names.ts";

test("ownValue returns the value of an own key, and undefined for an inherited key", () => {
  for (const key of INHERITED_NAMES) {
    assert.equal(ownValue({}, key), undefined, key);
    assert.equal(ownValue(Object.fromEntries([[key, "own"]]), key), "own", key);
  }
});

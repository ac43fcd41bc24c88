import assert from "node:assert/strict";
import { test } from "node:test";
import { commaList } from "../../../src/lib/comma-list.ts";

test("a blank after a comma does not belong to the value, such as the path of a socket", () => {
  assert.deepEqual(commaList(["/a, /b", " /c"]), ["/a", "/b", "/c"]);
  assert.deepEqual(commaList([""]), [""], "an empty value is not ignored");
});

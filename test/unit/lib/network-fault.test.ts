import assert from "node:assert/strict";
import { test } from "node:test";
import { networkFault } from "../../../src/lib/network-fault.ts";
import { INHERITED_NAMES } from "../../support/inherited-names.ts";

const REMEDIES = { ECONNREFUSED: "check the url" };

function failure(code: string, message = `connect ${code}`): Error {
  return Object.assign(new Error(message), { code });
}

test("the text of a failure with a known code includes the remedy", () => {
  assert.deepEqual(networkFault(failure("ECONNREFUSED"), REMEDIES), {
    code: "ECONNREFUSED",
    text: "connect ECONNREFUSED (check the url)",
  });
});

test("a failure with another code keeps its text", () => {
  assert.deepEqual(networkFault(failure("EPIPE"), REMEDIES), { code: "EPIPE", text: "connect EPIPE" });
});

test("for a host name with several addresses the first failure is returned", () => {
  const both = new AggregateError([failure("ECONNREFUSED", "connect ::1"), failure("ETIMEDOUT")]);
  assert.equal(networkFault(both, REMEDIES).text, "connect ::1 (check the url)");
  assert.equal(networkFault(new AggregateError([]), REMEDIES).text, "the connection failed");
});

test("the text is never empty, whatever was thrown", () => {
  assert.deepEqual(networkFault(failure("EPIPE", ""), REMEDIES), { code: "EPIPE", text: "EPIPE" });
  for (const thrown of [undefined, null, "text", 7, {}, new Error("")])
    assert.deepEqual(networkFault(thrown, REMEDIES), { code: "", text: "the connection failed" });
});

test("an error code that is the name of an inherited property has no remedy", () => {
  for (const code of INHERITED_NAMES)
    assert.deepEqual(networkFault(failure(code), REMEDIES), { code, text: `connect ${code}` });
});

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

test("for a host name with several addresses a failure with a remedy is returned before others", () => {
  const both = new AggregateError([failure("ENETUNREACH"), failure("ECONNREFUSED"), failure("ETIMEDOUT")]);
  assert.deepEqual(networkFault(both, REMEDIES), {
    code: "ECONNREFUSED",
    text: "connect ECONNREFUSED (check the url)",
  });
});

test("the text is never empty, whatever was thrown", () => {
  assert.deepEqual(networkFault(failure("EPIPE", ""), REMEDIES), { code: "EPIPE", text: "EPIPE" });
  for (const thrown of [undefined, null, "text", 7, {}, new Error("")])
    assert.deepEqual(networkFault(thrown, REMEDIES), { code: "", text: "the connection failed" });
});

test("a failure of TLS has its reason only, and the code of the reason", () => {
  const text = (reason: string): string =>
    `40CD27B3317F0000:error:0A00010B:SSL routines:ssl3_read_bytes:${reason}:../deps/openssl/ssl/record.c:77:\n`;
  const cases = [
    ["EPROTO", `write EPROTO ${text("wrong version number")}`, "ERR_SSL_WRONG_VERSION_NUMBER"],
    ["EPROTO", `write EPROTO ${text("ssl/tls alert handshake failure")}`, "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE"],
    ["ERR_SSL_TLSV1_ALERT_UNKNOWN_CA", text("tlsv1 alert unknown ca"), "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA"],
  ] as const;
  for (const [code, message, expected] of cases) {
    const fault = networkFault(failure(code, message), { [expected]: "check it" });
    assert.equal(fault.code, expected);
    assert.match(fault.text, /^TLS: [a-z0-9 /]+ \(check it\)$/);
  }
  assert.equal(networkFault(failure("EPROTO", "write EPROTO"), {}).code, "EPROTO");
});

test("Node's advice for its own command line is left out", () => {
  const message =
    "unable to verify the first certificate; if the root CA is installed locally, try running Node.js with --use-system-ca";
  assert.equal(networkFault(failure("X", message), {}).text, "unable to verify the first certificate");
});

test("an error code that is the name of an inherited property has no remedy", () => {
  for (const code of INHERITED_NAMES)
    assert.deepEqual(networkFault(failure(code), REMEDIES), { code, text: `connect ${code}` });
});

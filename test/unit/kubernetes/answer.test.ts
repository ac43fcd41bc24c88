import assert from "node:assert/strict";
import { test } from "node:test";
import {
  answerFromStatus,
  isVersionTooLarge,
  messageOfAnswer,
  rejection,
  retryAfterMs,
} from "../../../src/kubernetes/answer.ts";
import { recoveryFor, retryDelayMs } from "../../../src/kubernetes/retry-policy.ts";
import { resourcePath } from "../../../src/kubernetes/kube-object.ts";

const NOW = Date.parse("Tue, 24 Nov 2026 21:00:00 GMT");

test("the message of an answer is in a Status or plain text, and is cut", () => {
  assert.equal(messageOfAnswer({ body: { kind: "Status", message: "no rights\n" } }), "no rights");
  assert.equal(messageOfAnswer({ body: "404 page not found\n" }), "404 page not found");
  assert.equal(messageOfAnswer({ body: "x".repeat(10_000) }).length, 500);
  for (const body of [undefined, null, 7, {}, { message: 7 }]) assert.equal(messageOfAnswer({ body }), "");
});

test("the delay before a retry is in the header or in a Status", () => {
  assert.equal(retryAfterMs({ headers: { "retry-after": "5" }, body: "" }, NOW), 5_000);
  const date = new Date(NOW + 9_000).toUTCString();
  assert.equal(retryAfterMs({ headers: { "retry-after": date }, body: "" }, NOW), 9_000);
  assert.equal(retryAfterMs({ headers: {}, body: { details: { retryAfterSeconds: 3 } } }, NOW), 3_000);
  for (const body of [undefined, "", {}, { details: {} }, { details: { retryAfterSeconds: "x" } }])
    assert.equal(retryAfterMs({ headers: {}, body }, NOW), undefined);
});

test("a missing right has another code than other rejections", () => {
  const codeFor = (status: number): string => rejection({ status, headers: {}, body: "" }, "no").code;
  assert.deepEqual([401, 403].map(codeFor), ["E_KUBE_DENIED", "E_KUBE_DENIED"]);
  assert.deepEqual([400, 404, 410, 429, 500, 503].map(codeFor), Array<string>(6).fill("E_KUBE_REFUSED"));
});

test("the Status in an ERROR event of a watch becomes an answer", () => {
  const status = { kind: "Status", code: 410, message: "too old resource version" };
  assert.deepEqual(answerFromStatus(status), { status: 410, headers: {}, body: status });
  assert.equal(answerFromStatus("nonsense").status, 500);
});

test("a version that the server has not reached differs from other time-outs", () => {
  const tooLarge = { details: { causes: [{ reason: "ResourceVersionTooLarge" }], retryAfterSeconds: 1 } };
  assert.equal(isVersionTooLarge({ body: tooLarge }), true);
  for (const body of ["", {}, { details: {} }, { details: { causes: [{ reason: "Other" }] } }])
    assert.equal(isVersionTooLarge({ body }), false);
});

test("a rejected watch resumes if its version is still valid, else a list comes first", () => {
  const resumes = (status: number): boolean => recoveryFor(status).resume;
  assert.deepEqual(
    [401, 403, 429, 502, 503].filter((status) => !resumes(status)),
    [],
  );
  assert.deepEqual([400, 404, 410, 422, 500, 504].filter(resumes), []);
});

test("retry delays are random, never shorter than Retry-After, and have a cap", () => {
  const { policy: pace } = recoveryFor(503);
  assert.deepEqual(
    [0, 3, 99].map((failures) => retryDelayMs(pace, failures, undefined, () => 0.5)),
    [500, 4_000, 15_000],
  );
  assert.equal(
    retryDelayMs(pace, 0, 7_000, () => 0),
    7_000,
  );
  assert.equal(
    retryDelayMs(pace, 0, 7_000, () => 1),
    10_500,
  );
  assert.equal(
    retryDelayMs(recoveryFor(400).policy, 0, undefined, () => 0),
    30_000,
  );
  // A server that has just started rejects requests until it has read its rules.
  assert.deepEqual(
    [0, 1, 99].map((failures) => retryDelayMs(recoveryFor(403).policy, failures, undefined, () => 0.5)),
    [500, 1_000, 120_000],
  );
  assert.equal(
    retryDelayMs(recoveryFor(410).policy, 0, undefined, () => 0.9),
    9_000,
  );
});

test("the path of a resource has its escaped parts", () => {
  const vmis = { group: "kubevirt.io", version: "v1", plural: "virtualmachineinstances" };
  assert.equal(resourcePath(vmis), "/apis/kubevirt.io/v1/virtualmachineinstances");
  const one = { group: "", version: "v1", plural: "secrets", namespace: "a/b", name: "c?d" };
  assert.equal(resourcePath(one), "/api/v1/namespaces/a%2Fb/secrets/c%3Fd");
  const status = resourcePath({ ...vmis, name: "x", subresource: "status" });
  assert.equal(status, "/apis/kubevirt.io/v1/virtualmachineinstances/x/status");
});

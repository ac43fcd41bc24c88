import assert from "node:assert/strict";
import { test } from "node:test";
import { KubeError } from "../../../src/kubernetes/kube-error.ts";
import { storeFault } from "../../../src/kubernetes/store-fault.ts";

const FINE = { error: undefined, staleMs: 60_000, tooLarge: [] };
const denied = new KubeError("E_KUBE_DENIED", "the API server rejects the list: 403");
const closed = new KubeError("E_KUBE_CLOSED", "the watch broke off");
const never = Number.POSITIVE_INFINITY;

test("a store is without a fault while the server confirms it, also if a watch has to be opened again", () => {
  assert.equal(storeFault(FINE), undefined);
  assert.equal(storeFault({ ...FINE, error: closed }), undefined);
});

test("each fault has its reason, and the most important one counts", () => {
  for (const [change, reason, message] of [
    [{ error: denied, staleMs: never, tooLarge: ["a/b"] }, "Forbidden", denied.message],
    [{ error: closed, staleMs: 181_000, tooLarge: ["a/b"] }, "Unreachable", closed.message],
    [{ staleMs: 181_000 }, "Unreachable", "the API server has not sent anything for minutes"],
    [{ staleMs: never }, "Unreachable", "the API server has not answered the list yet"],
    [{ tooLarge: [undefined] }, "TooLarge", "1 object is left out: larger than 4 MiB as JSON"],
    [{ tooLarge: ["a/b"] }, "TooLarge", "1 object is left out: larger than 4 MiB as JSON: a/b"],
    [
      { tooLarge: ["a/b", undefined], error: closed },
      "TooLarge",
      "2 objects are left out: larger than 4 MiB as JSON: a/b and 1 more",
    ],
    [
      { tooLarge: [undefined, "a/b", "a/c", "a/d", "a/e"] },
      "TooLarge",
      "5 objects are left out: larger than 4 MiB as JSON: a/b, a/c, a/d and 2 more",
    ],
  ] as const)
    assert.deepEqual(storeFault({ ...FINE, ...change }), { reason, message });
});

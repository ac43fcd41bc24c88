import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Answer } from "../../../../src/delivery/http/http-client.ts";
import { classify, type AnswerContext } from "../../../../src/delivery/influx/rules.ts";
import type { Outcome } from "../../../../src/delivery/outcome.ts";

const NOW = Date.UTC(2026, 0, 1);
const V1 = { version: "v1", database: "metrics" } as const;
const V2 = { version: "v2", org: "org", bucket: "metrics" } as const;
const V3 = { version: "v3", database: "metrics", api: "Native" } as const;
const V3_COMPATIBLE = { version: "v3", database: "metrics", api: "V2Compatible" } as const;
const ALL = [V1, V2, V3, V3_COMPATIBLE];

type Protocol = AnswerContext["protocol"];

/** Returns the outcome of a request with a hundred lines. */
function outcomeOf(protocol: Protocol, status: number, body = "", retryAfter?: string): Outcome {
  return classify({ status, body, retryAfter }, { lines: 100, protocol, nowMs: NOW });
}

/** Returns an outcome without its detail: `retry TargetUnreachable`, `partial 3`, `delivered`. */
function brief(outcome: Outcome): string {
  if ("reason" in outcome) return `${outcome.kind} ${outcome.reason}`;
  return outcome.kind === "partial" ? `partial ${outcome.rejectedLines}` : outcome.kind;
}

const UNAUTHORIZED = "misconfigured TargetUnauthorized";
const NOT_FOUND = "misconfigured TargetNotFound";
const RETRY = "retry TargetUnreachable";
const UNKNOWN = "retry TargetRejecting";

test("without a known error text a status means the same for every version", () => {
  const cases: Record<string, readonly number[]> = {
    delivered: [204],
    [UNAUTHORIZED]: [401, 403],
    "misconfigured TargetUnreachable": [407],
    // Only 204 is a success: a proxy or a login page answers 200.
    [NOT_FOUND]: [200, 201, 202, 206, 300, 301, 302, 307, 308, 404, 405],
    tooLarge: [413],
    // A 400 is about lines only with a known text.
    [UNKNOWN]: [400, 422],
    [RETRY]: [408, 425, 429, 500, 501, 502, 503, 504, 507, 599],
    "misconfigured TargetRejecting": [402, 406, 409, 410, 415, 418, 451],
  };
  for (const [expected, statuses] of Object.entries(cases))
    for (const status of statuses)
      for (const protocol of ALL)
        for (const body of ["", "some text", '{"error":"some text"}'])
          assert.equal(brief(outcomeOf(protocol, status, body)), expected, `${status} ${body}`);
});

/** Answers of servers: recorded, or from their source code. */
const ANSWERS: readonly (readonly [
  what: string,
  protocol: Protocol,
  status: number,
  body: string,
  expected: string,
])[] = [
  [
    "v1, bad lines in a batch; the count in the text is wrong",
    V1,
    400,
    `{"error":"partial write: unable to parse 'vm_metrics,name=a ': missing fields\\nunable to parse 'b': invalid dropped=0"}`,
    "partial 2",
  ],
  [
    "v1, a field of another type",
    V1,
    400,
    `{"error":"partial write: field type conflict: input field \\"up\\" on measurement \\"vm_metrics\\" is type float, already exists as type boolean dropped=3"}`,
    "partial 3",
  ],
  [
    "v1, too old for the retention policy",
    V1,
    400,
    `{"error":"partial write: points beyond retention policy dropped=17"}`,
    "partial 17",
  ],
  [
    "v1, too many series",
    V1,
    400,
    `{"error":"partial write: max-series-per-database limit exceeded: (1000000) dropped=4"}`,
    "partial 4",
  ],
  ["v1, a body that is not gzip", V1, 400, `{"error":"unexpected EOF"}`, UNKNOWN],
  ["v1, an unknown database", V1, 404, `{"error":"database not found: \\"metrics\\""}`, NOT_FOUND],
  ["v1, an unknown retention policy", V1, 500, `{"error":"retention policy not found: weekly"}`, NOT_FOUND],
  ["v1, the same text with 400", V1, 400, `{"error":"retention policy not found: weekly"}`, NOT_FOUND],
  ["v1, another server error", V1, 500, `{"error":"timeout"}`, RETRY],
  [
    "v2, a bad line in a batch",
    V2,
    400,
    `{"code":"invalid","message":"unable to parse 'vm_metrics,name=a ': missing fields"}`,
    "rejected",
  ],
  [
    "v2, a bad line that contains the text of a message",
    V2,
    400,
    `{"code":"invalid","message":"unable to parse 'm,a=b x=\\"partial write dropped=9': unbalanced quotes"}`,
    "rejected",
  ],
  [
    "v2, a field of another type",
    V2,
    422,
    `{"code":"unprocessable entity","message":"failure writing points to database: partial write: field type conflict: input field \\"up\\" on measurement \\"m\\" is type float, already exists as type boolean dropped=2"}`,
    "partial 2",
  ],
  [
    "v2, too old for the bucket",
    V2,
    422,
    `{"code":"unprocessable entity","message":"failure writing points to database: partial write: points beyond retention policy dropped=5"}`,
    "partial 5",
  ],
  ["v2, an unknown bucket", V2, 404, `{"code":"not found","message":"bucket \\"metrics\\" not found"}`, NOT_FOUND],
  ["v2, a wrong token", V2, 401, `{"code":"unauthorized","message":"unauthorized access"}`, UNAUTHORIZED],
  [
    "v2, a token that may only read",
    V2,
    403,
    `{"code":"forbidden","message":"insufficient permissions"}`,
    UNAUTHORIZED,
  ],
  ["v2, damaged gzip", V2, 500, `{"code":"internal error","message":"unexpected EOF"}`, RETRY],
  ["v2, too large", V2, 413, `{"code":"request too large","message":"too large"}`, "tooLarge"],
  [
    "v3, bad lines among good ones",
    V3,
    400,
    `{"error":"partial write of line protocol occurred","data":[{"original_line":"a b","line_number":1,"error_message":"no field"},{"original_line":"c d","line_number":7,"error_message":"no field"}]}`,
    "partial 2",
  ],
  [
    "v3, the same with the text of another release",
    V3,
    400,
    `{"error":"parsing failed for write_lp endpoint","data":[{"original_line":"a b","line_number":1,"error_message":"no field"}]}`,
    "partial 1",
  ],
  ["v3, a rejection that lists no line", V3, 400, `{"error":"parsing failed","data":[]}`, "rejected"],
  [
    "v3 through the API of v2, where the batch is stored whole or not at all",
    V3_COMPATIBLE,
    400,
    `{"error":"parsing failed for write_lp endpoint","data":[{"original_line":"a b","line_number":1,"error_message":"no field"}]}`,
    "rejected",
  ],
  [
    "v3, lines listed with a status that is not a partial write",
    V3,
    422,
    `{"error":"too many columns","data":[{"original_line":"a b","line_number":1,"error_message":"no room"}]}`,
    "rejected",
  ],
  [
    "v3 through the API of v2, a bad line of a table with a word about servers in its name",
    V3_COMPATIBLE,
    400,
    `{"code":"invalid","message":"write buffer error: line protocol parse failed: invalid column type for catalog_timeout.up"}`,
    "rejected",
  ],
  [
    "v3 through the API of v2, a fault of the catalog",
    V3_COMPATIBLE,
    400,
    `{"code":"invalid","message":"write buffer error: catalog update error: object store"}`,
    RETRY,
  ],
  ["v3, a limit of the catalog", V3, 422, `{"error":"number of tables exceeded","data":null}`, UNKNOWN],
  ["v3, too large", V3, 413, `{"error":"max request size exceeded"}`, "tooLarge"],
  ["v3 in the cloud, too much at once", V3_COMPATIBLE, 429, `{"code":"too many requests"}`, RETRY],
  ["a login page in place of success", V2, 200, "<!DOCTYPE html><html><title>Sign in</title>", NOT_FOUND],
  ["a proxy's page in place of a rejection", V2, 400, "\n<html><body>400 Bad Request</body></html>", NOT_FOUND],
  ["an XML error", V1, 422, `<?xml version="1.0"?><Error/>`, NOT_FOUND],
  ["a proxy's page for 413", V2, 413, "<html><body>413 Request Entity Too Large</body></html>", "tooLarge"],
  ["a proxy's page for 403", V2, 403, "<html><body>403 Forbidden</body></html>", UNAUTHORIZED],
  ["a proxy's page for 502", V2, 502, "<html><body>502 Bad Gateway</body></html>", RETRY],
];

for (const [what, protocol, status, body, expected] of ANSWERS) {
  test(`${what}: ${expected}`, () => {
    assert.equal(brief(outcomeOf(protocol, status, body)), expected);
  });
}

test("only a retry has a delay from Retry-After", () => {
  assert.deepEqual(outcomeOf(V2, 503, "busy", "7"), {
    kind: "retry",
    reason: "TargetUnreachable",
    detail: "HTTP 503 busy",
    afterMs: 7_000,
  });
  assert.equal("afterMs" in outcomeOf(V2, 503, "busy"), false);
  assert.equal("afterMs" in outcomeOf(V2, 503, "busy", "soon"), false);
  for (const status of [204, 301, 401, 404, 413]) assert.equal("afterMs" in outcomeOf(V2, status, "", "7"), false);
});

test("a request without an answer is retried, unless the agent's own settings are at fault", () => {
  const context = { lines: 1, protocol: V2, nowMs: NOW };
  assert.deepEqual(classify({ failure: "connect ECONNREFUSED" }, context), {
    kind: "retry",
    reason: "TargetUnreachable",
    detail: "connect ECONNREFUSED",
  });
  assert.deepEqual(classify({ failure: "bad PEM", local: true }, context), {
    kind: "misconfigured",
    reason: "TargetUnreachable",
    detail: "bad PEM",
  });
});

test("only a plain 500 and an unknown 400 may be caused by the lines", () => {
  const isSuspect = (status: number, body = "", retryAfter?: string): boolean =>
    "maybePoison" in outcomeOf(V2, status, body, retryAfter);
  assert.equal(isSuspect(500, `{"code":"internal error","message":"unexpected EOF"}`), true);
  assert.equal(isSuspect(500, "cache full", "10"), false);
  assert.equal(isSuspect(500, `{"error":"retention policy not found: x"}`), false);
  for (const text of [
    "timeout",
    "engine: cache-max-memory-size exceeded: (1/1)",
    "wal is shutdown and not accepting writes",
  ])
    assert.equal(isSuspect(500, JSON.stringify({ error: text })), false, text);
  for (const status of [204, 401, 404, 408, 413, 429, 501, 502, 503, 504])
    assert.equal(isSuspect(status), false, String(status));
});

test("a partial write has the lines that the server names", () => {
  const named = (protocol: Protocol, body: string): unknown => {
    const outcome = outcomeOf(protocol, 400, body);
    return outcome.kind === "partial" && outcome.named;
  };
  const data = [{ original_line: "vm a", line_number: 2, error_message: "no field" }];
  assert.deepEqual(named(V3, JSON.stringify({ error: "partial", data })), [{ number: 2, reason: "no field" }]);
  assert.deepEqual(named(V1, `{"error":"partial write: points beyond retention policy dropped=17"}`), []);
});

test("the detail has the remedy for a wrong setting", () => {
  const unauthorized = outcomeOf(V2, 401, `{"message":"unauthorized access"}`);
  assert.ok("detail" in unauthorized);
  assert.match(unauthorized.detail, /^check the target's credentials .*: HTTP 401 unauthorized access$/);
});

test("each answer has an outcome with a short detail on one line", () => {
  const answer: fc.Arbitrary<Answer> = fc.oneof(
    fc.record({
      status: fc.oneof(fc.constantFrom(200, 400, 401, 413, 422, 500, 503), fc.integer({ min: 100, max: 999 })),
      retryAfter: fc.option(fc.string(), { nil: undefined }),
      body: fc.oneof(
        fc.string({ maxLength: 1_000 }),
        fc.json(),
        fc.string().map((text) => `{"error":"partial write: ${text} dropped=${text}`),
        fc
          .record({ error: fc.string(), data: fc.array(fc.record({ error_message: fc.string() })) })
          .map((value) => JSON.stringify(value)),
      ),
    }),
    fc.record({ failure: fc.string({ maxLength: 1_000 }), local: fc.boolean() }),
  );
  fc.assert(
    fc.property(answer, fc.constantFrom(...ALL), (given, protocol) => {
      const outcome = classify(given, { lines: 7, protocol, nowMs: NOW });
      if (outcome.kind === "partial") assert.ok(outcome.rejectedLines >= 1 && outcome.rejectedLines <= 7);
      if (!("detail" in outcome)) return;
      assert.ok(outcome.detail.length < 320, outcome.detail);
      assert.doesNotMatch(outcome.detail, /[\r\n\t]/);
    }),
  );
});

test("an empty 200 of an InfluxDB 1 counts as delivered only if its body is not cut", () => {
  const outcome = (isCut?: boolean): string =>
    classify(
      { status: 200, body: "", ...(isCut !== undefined && { isCut }), headers: { "x-influxdb-version": "1.2.4" } },
      { lines: 100, protocol: V1, nowMs: NOW },
    ).kind;
  assert.deepEqual([outcome(), outcome(false), outcome(true)], ["delivered", "delivered", "misconfigured"]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { classify, type AnswerContext } from "../../../../src/delivery/influx/rules.ts";

const NOW = Date.UTC(2026, 0, 1);
const V1 = { version: "v1", database: "metrics" } as const;
const V2 = { version: "v2", org: "org", bucket: "metrics" } as const;
const V3 = { version: "v3", database: "metrics", api: "Native" } as const;
const V3_COMPATIBLE = { version: "v3", database: "metrics", api: "V2Compatible" } as const;

type Protocol = AnswerContext["protocol"];

const REJECTING = "misconfigured TargetRejecting";
const CONFLICT = `field type conflict: input field \\"up\\" on measurement \\"m\\" is type float, already exists as type boolean`;
const TOO_MANY_SERIES = "max-series-per-database limit exceeded: (1000)";
const TOO_MANY_VALUES = `max-values-per-tag limit exceeded (9/9): measurement=\\"m\\" tag=\\"name\\" value=\\"vm-10\\"`;
const TOO_MANY_TABLES = "Update to schema would exceed number of tables limit of 2000 tables";
const TOO_MANY_DATABASES = "Adding a new database would exceed limit of 5 databases";

function v1Partial(reason: string, dropped: number | string): string {
  return `{"error":"partial write: ${reason} dropped=${dropped}"}`;
}

/** Returns InfluxDB 3's list of rejected lines with these numbers. */
function v3Partial(numbers: readonly (number | undefined)[], reason = "invalid column type"): string {
  const data = numbers.map((number) => ({ original_line: "m f=1", line_number: number, error_message: reason }));
  return JSON.stringify({ error: "partial write of line protocol occurred", data });
}

/** Answers to a request with `lines` lines. */
const ANSWERS: readonly (readonly [what: string, lines: number, Protocol, status: number, body: string, string])[] = [
  ["v1, all lines dropped", 1400, V1, 400, v1Partial(CONFLICT, 1400), "rejected"],
  ["v1, all lines but one dropped", 1400, V1, 400, v1Partial(CONFLICT, 1399), "partial 1399"],
  ["v1, more lines dropped than were sent", 1400, V1, 400, v1Partial(CONFLICT, 9999), "rejected"],
  ["v1, a count too large for a number", 1400, V1, 400, v1Partial(CONFLICT, "9".repeat(400)), "rejected"],
  ["v1, one line, and a count that is too small", 1, V1, 400, v1Partial(CONFLICT, 0), "rejected"],
  ["v1, all lines quoted", 2, V1, 400, v1Partial(`unable to parse 'a': x\nunable to parse 'b': x`, 0), "rejected"],
  ["v1, all series beyond the limit", 1400, V1, 400, v1Partial(TOO_MANY_SERIES, 1400), REJECTING],
  ["v1, some series beyond the limit", 1400, V1, 400, v1Partial(TOO_MANY_SERIES, 9), "partial 9"],
  ["v1, one line, beyond the limit", 1, V1, 400, v1Partial(TOO_MANY_SERIES, 1), REJECTING],
  ["v1, all values of a tag beyond the limit", 2, V1, 400, v1Partial(TOO_MANY_VALUES, 2), REJECTING],
  // Age is the only cause, and a search could store none of these lines.
  ["v1, all lines too old", 17, V1, 400, v1Partial("points beyond retention policy", 17), "partial 17"],
  ["v1, more lines too old than were sent", 9, V1, 400, v1Partial("points beyond retention policy", 17), "partial 9"],
  ["v2, all lines dropped", 2, V2, 422, `{"message":"failure: partial write: ${CONFLICT} dropped=2"}`, "rejected"],
  ["v3, all lines listed", 3, V3, 400, v3Partial([1, 2, 3]), "rejected"],
  ["v3, all lines but one listed", 4, V3, 400, v3Partial([1, 2, 3]), "partial 3"],
  ["v3, a line listed more than once", 3, V3, 400, v3Partial([1, 1, 1, 2]), "partial 2"],
  ["v3, lines listed without numbers", 2, V3, 400, v3Partial([undefined, undefined]), "rejected"],
  ["v3, an entry that cannot be read", 9, V3, 400, v3Partial([1]).replace("error_message", "problem"), "rejected"],
  ["v3, a list that is cut off", 9, V3, 400, v3Partial([1, 2, 3]).slice(0, -9), "rejected"],
  ["v3, all lines beyond the limit", 2, V3, 422, v3Partial([1, 2], TOO_MANY_TABLES), REJECTING],
  ["v3, some lines beyond the limit", 3, V3, 422, v3Partial([1, 2], TOO_MANY_TABLES), "partial 2"],
  ["v3, too many databases", 3, V3, 422, `{"error":"${TOO_MANY_DATABASES}"}`, REJECTING],
  ["v3 by the API of v2", 3, V3_COMPATIBLE, 400, `{"message":"write buffer error: ${TOO_MANY_TABLES}"}`, REJECTING],
  [
    "v3 by the API of v1",
    3,
    V1,
    400,
    `{"error":"parsing failed for write_lp endpoint","data":{"error_message":"${TOO_MANY_TABLES}","line_number":2}}`,
    REJECTING,
  ],
  [
    "the text of a limit in a line",
    3,
    V2,
    400,
    `{"message":"unable to parse 'm,a=${TOO_MANY_TABLES}': bad"}`,
    "rejected",
  ],
];

for (const [what, lines, protocol, status, body, expected] of ANSWERS) {
  test(`${what} (${lines} in the request): ${expected}`, () => {
    const outcome = classify({ status, body }, { lines, protocol, nowMs: NOW });
    const about = outcome.kind === "partial" ? [outcome.rejectedLines] : "reason" in outcome ? [outcome.reason] : [];
    assert.equal([outcome.kind, ...about].join(" "), expected);
  });
}

test("the detail names the server limit and what to do", () => {
  const body = v3Partial([1, 2], TOO_MANY_TABLES);
  assert.deepEqual(classify({ status: 422, body }, { lines: 2, protocol: V3, nowMs: NOW }), {
    kind: "misconfigured",
    reason: "TargetRejecting",
    detail: `the server is at a limit: raise it, or delete there what is no longer needed: HTTP 422 partial write of line protocol occurred: ${TOO_MANY_TABLES}`,
    maybePoison: true,
  });
});

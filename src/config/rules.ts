import { parseDuration } from "../lib/duration.ts";
import type { Finding, Path } from "./check.ts";
import type { Rule } from "./rule.ts";
import { TAG_KEY } from "./schema-parts.ts";
import type { LabelSelector, TargetSpec, TelemetrySpec } from "./schema.ts";
import { TAG_OF_CEL, tagOf } from "./tag-names.ts";
import { TAG_NAME_RULES } from "./tag-rules.ts";

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** Returns whether a duration is within bounds. True for a malformed duration, see `Rule`. */
function within(text: string | undefined, minimumMs: number, maximumMs: number): boolean {
  const ms = text === undefined ? undefined : parseDuration(text);
  return ms === undefined || (ms >= minimumMs && ms <= maximumMs);
}

/** Returns whether a < b as durations. True if one is malformed. */
function shorter(a: string | undefined, b: string): boolean {
  const [left, right] = [a === undefined ? undefined : parseDuration(a), parseDuration(b)];
  return left === undefined || right === undefined || left < right;
}

/** Returns whether a duration is a multiple of the interval, and 24h at most. True if one is malformed. */
function isMultiple(text: string, interval: string): boolean {
  const [ms, intervalMs] = [parseDuration(text), parseDuration(interval)];
  if (ms === undefined || intervalMs === undefined) return true;
  return ms >= intervalMs && ms <= 24 * HOUR_MS && ms % intervalMs === 0;
}

/**
 * Returns the milliseconds of a duration in CEL. Evaluators disagree whether getMilliseconds() of a duration is the whole
 * or its part below a second. Of a time of day it is always the part.
 */
function milliseconds(field: string): string {
  return `(duration(${field}).getSeconds() * 1000 + (timestamp('1970-01-01T00:00:00Z') + duration(${field})).getMilliseconds())`;
}

/** The shape of a URL, in the regular expressions that Go and JavaScript share. Other rules limit its parts. */
const URL_SHAPE = String.raw`^https?://([^/?#@\\]*@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9])?)(:[0-9]{1,5})?([/?#]([!-$&-~]|%[0-9A-Fa-f]{2})*)?$`;

/** The rule of Kubernetes for the values of a label selector. */
function selectorRule<Subject>(at: Path, selectorOf: (subject: Subject) => LabelSelector | undefined): Rule<Subject> {
  const selector = ["self", ...at].join(".");
  return {
    path: [...at, "matchExpressions"],
    message: "must have values with In and NotIn, and none with Exists and DoesNotExist",
    cel: `!has(${selector}) || !has(${selector}.matchExpressions) || ${selector}.matchExpressions.all(e, has(e.values) && e.values.size() > 0 ? !(e.operator in ['Exists', 'DoesNotExist']) : !(e.operator in ['In', 'NotIn']))`,
    holds: (subject) =>
      selectorOf(subject)?.matchExpressions?.every(
        ({ operator, values = [] }) =>
          !(values.length > 0 ? ["Exists", "DoesNotExist"] : ["In", "NotIn"]).includes(operator),
      ) ?? true,
  };
}

/** Headers of the agent and of HTTP itself, in lower case. */
const RESERVED_HEADERS: readonly string[] = [
  "accept",
  "accept-encoding",
  "connection",
  "content-encoding",
  "content-length",
  "content-type",
  "expect",
  "host",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

/** The rules for the headers of a target. The case of a name does not matter. */
const HEADER_RULES: readonly Rule<TargetSpec>[] = [
  {
    message: "must have either value or valueSecretRef",
    cel: "self.headers.all(h, has(h.value) != has(h.valueSecretRef))",
    holds: ({ headers }: TargetSpec) =>
      headers.every(({ value, valueSecretRef }) => (value === undefined) !== (valueSecretRef === undefined)),
  },
  {
    message: "must not name a header twice; upper and lower case are the same",
    cel: "self.headers.all(h, self.headers.exists_one(g, g.name.lowerAscii() == h.name.lowerAscii()))",
    holds: ({ headers }: TargetSpec) => new Set(headers.map(({ name }) => name.toLowerCase())).size === headers.length,
  },
  {
    message: `must not name a header that the agent or HTTP sets: ${RESERVED_HEADERS.join(", ")}`,
    cel: `self.headers.all(h, !(h.name.lowerAscii() in ['${RESERVED_HEADERS.join("', '")}']))`,
    holds: ({ headers }: TargetSpec) => !headers.some(({ name }) => RESERVED_HEADERS.includes(name.toLowerCase())),
  },
  {
    message:
      "must not write the value of Authorization into the configuration; put it into a Secret, in valueSecretRef",
    cel: "!self.headers.exists(h, h.name.lowerAscii() == 'authorization' && has(h.value))",
    holds: ({ headers }: TargetSpec) =>
      !headers.some(({ name, value }) => isAuthorization(name) && value !== undefined),
  },
  {
    message: "must not name Authorization beside credentialsSecretRef or tokenSecretRef, which set it",
    cel: "!self.headers.exists(h, h.name.lowerAscii() == 'authorization') || !((has(self.v1) && has(self.v1.credentialsSecretRef)) || (has(self.v2) && has(self.v2.tokenSecretRef)) || (has(self.v3) && has(self.v3.tokenSecretRef)))",
    holds: ({ headers, v1, v2, v3 }: TargetSpec) =>
      !headers.some(({ name }) => isAuthorization(name)) ||
      (v1?.credentialsSecretRef ?? v2?.tokenSecretRef ?? v3?.tokenSecretRef) === undefined,
  },
].map((rule) => ({ path: ["headers"], ...rule }));

function isAuthorization(name: string): boolean {
  return name.toLowerCase() === "authorization";
}

export const SPEC_RULES: readonly Rule<TelemetrySpec>[] = [
  {
    path: ["collection", "interval"],
    message: "must be from 1s to 1h",
    cel: "duration(self.collection.interval) >= duration('1s') && duration(self.collection.interval) <= duration('1h')",
    holds: ({ collection }) => within(collection.interval, 1_000, HOUR_MS),
  },
  {
    path: ["collection", "timeout"],
    message: "must be shorter than collection.interval and not zero",
    cel: "!has(self.collection.timeout) || (duration(self.collection.timeout) > duration('0s') && duration(self.collection.timeout) < duration(self.collection.interval))",
    holds: ({ collection }) =>
      within(collection.timeout, 1, Infinity) && shorter(collection.timeout, collection.interval),
  },
  {
    path: ["collection", "families"],
    message: "must not name a family twice",
    cel: "self.collection.families.all(f, self.collection.families.exists_one(g, g == f))",
    holds: ({ collection: { families } }) => new Set(families).size === families.length,
  },
  {
    path: ["collection", "raw"],
    message: "must be given for the family Raw, such as raw: {groups: [Block]}",
    cel: "!('Raw' in self.collection.families) || has(self.collection.raw)",
    holds: ({ collection: { families, raw } }) => !families.includes("Raw") || raw !== undefined,
  },
  {
    path: ["collection", "schedules"],
    message: "must have intervals that are whole multiples of collection.interval, 24h at most",
    cel: `!has(self.collection.schedules) || duration(self.collection.interval) < duration('1s') || self.collection.schedules.all(s, duration(s.interval) >= duration(self.collection.interval) && duration(s.interval) <= duration('24h') && ${milliseconds("s.interval")} % ${milliseconds("self.collection.interval")} == 0)`,
    holds: ({ collection: { interval, schedules = [] } }) =>
      !within(interval, 1_000, Infinity) || schedules.every((schedule) => isMultiple(schedule.interval, interval)),
  },
  {
    path: ["collection", "schedules"],
    message: "must not name a family in two schedules",
    cel: "!has(self.collection.schedules) || self.collection.schedules.all(s, s.families.all(f, self.collection.schedules.exists_one(t, f in t.families)))",
    holds: ({ collection: { schedules = [] } }) => {
      const named = schedules.flatMap((schedule) => [...new Set(schedule.families)]);
      return new Set(named).size === named.length;
    },
  },
  {
    path: ["deviceCache", "ttl"],
    message: "must be from 1s to 24h",
    cel: "duration(self.deviceCache.ttl) >= duration('1s') && duration(self.deviceCache.ttl) <= duration('24h')",
    holds: ({ deviceCache }) => within(deviceCache.ttl, 1_000, 24 * HOUR_MS),
  },
  ...TAG_NAME_RULES,
  {
    path: ["tags", "static"],
    message: "must have keys of one letter, then letters, digits and underscores, 64 at most",
    cel: `self.tags.static.all(k, k.matches('${TAG_KEY}'))`,
    holds: ({ tags }) => Object.keys(tags.static).every((key) => new RegExp(TAG_KEY).test(key)),
    bySchema: true,
  },
  {
    path: ["tags"],
    message: "must not use one tag twice: static, vmLabels and vmAnnotations need different tags",
    cel: `[self.tags.static.map(k, k) + self.tags.vmLabels.map(s, ${TAG_OF_CEL}) + self.tags.vmAnnotations.map(s, ${TAG_OF_CEL})].all(tags, tags.all(t, tags.exists_one(u, u == t)))`,
    holds: ({ tags }) => {
      const names = [...Object.keys(tags.static), ...[...tags.vmLabels, ...tags.vmAnnotations].map(tagOf)];
      return new Set(names).size === names.length;
    },
  },
  {
    path: ["buffer", "maxAge"],
    message: "must be from 1m to 168h",
    cel: "duration(self.buffer.maxAge) >= duration('1m') && duration(self.buffer.maxAge) <= duration('168h')",
    holds: ({ buffer }) => within(buffer.maxAge, MINUTE_MS, 168 * HOUR_MS),
  },
  {
    path: ["targets"],
    message: "must not ask for families that collection.families does not collect",
    cel: "self.targets.all(t, !has(t.families) || t.families.all(f, f in self.collection.families))",
    holds: ({ targets, collection }) =>
      targets.every(({ families = [] }) => families.every((family) => collection.families.includes(family))),
  },
  selectorRule(["nodeSelector"], ({ nodeSelector }) => nodeSelector),
  selectorRule(["vmSelector"], ({ vmSelector }) => vmSelector),
];

export const TARGET_RULES: readonly Rule<TargetSpec>[] = [
  {
    path: ["url"],
    message: "must be an http or https URL that begins with its scheme, such as https://influxdb.example.com:8086",
    cel: `self.url.matches(r'${URL_SHAPE}')`,
    // URL.canParse rejects addresses that the shape allows but that are not valid, such as port 70000.
    holds: ({ url }) => url.match(URL_SHAPE) !== null && URL.canParse(url),
  },
  {
    path: ["url"],
    message: "must not contain a user or password; use a Secret",
    cel: "!self.url.matches('^[^/]*//[^/?#]*@')",
    holds: ({ url }) => !/^[^/]*\/\/[^/?#]*@/.test(url),
  },
  {
    path: ["url"],
    message: "must not have a query or fragment; the agent adds its own",
    cel: "!self.url.contains('?') && !self.url.contains('#')",
    holds: ({ url }) => !/[?#]/.test(url),
  },
  {
    path: ["tls", "mode"],
    message:
      "must be Plaintext for an http URL, because the token would be sent unencrypted: use https, or set `mode: Plaintext`",
    cel: "!self.url.startsWith('http://') || self.tls.mode == 'Plaintext'",
    holds: ({ url, tls }) => !url.startsWith("http://") || tls.mode === "Plaintext",
  },
  {
    path: ["tls", "mode"],
    message: "must not be Plaintext for an https URL",
    cel: "!self.url.startsWith('https://') || self.tls.mode != 'Plaintext'",
    holds: ({ url, tls }) => !url.startsWith("https://") || tls.mode !== "Plaintext",
  },
  {
    path: ["tls", "caRef"],
    message: "must name either a configMap or a secret",
    cel: "!has(self.tls.caRef) || has(self.tls.caRef.configMap) != has(self.tls.caRef.secret)",
    holds: ({ tls: { caRef } }) =>
      caRef === undefined || (caRef.configMap === undefined) !== (caRef.secret === undefined),
  },
  {
    path: [],
    message: "must have exactly one of v1, v2 and v3",
    cel: "[has(self.v1), has(self.v2), has(self.v3)].filter(x, x).size() == 1",
    holds: ({ v1, v2, v3 }) => [v1, v2, v3].filter((one) => one !== undefined).length === 1,
  },
  ...HEADER_RULES,
  {
    path: ["flush", "interval"],
    message: "must be from 100ms to 5m",
    cel: "duration(self.flush.interval) >= duration('100ms') && duration(self.flush.interval) <= duration('5m')",
    holds: ({ flush }) => within(flush.interval, 100, 5 * MINUTE_MS),
  },
  {
    path: ["timeout"],
    message: "must be from 1s to 5m",
    cel: "duration(self.timeout) >= duration('1s') && duration(self.timeout) <= duration('5m')",
    holds: ({ timeout }) => within(timeout, 1_000, 5 * MINUTE_MS),
  },
  selectorRule(["vmSelector"], ({ vmSelector }) => vmSelector),
];

/** Returns the rules over several fields that a spec breaks. Call `check` first; the spec may be malformed. */
export function brokenRules(spec: unknown): Finding[] {
  if (!isObject(spec)) return [];
  const { targets } = spec as { targets?: unknown };
  return [
    ...(Array.isArray(targets) ? (targets as TargetSpec[]) : []).flatMap((target, index) =>
      isObject(target) ? broken(TARGET_RULES, target, ["spec", "targets", index]) : [],
    ),
    ...broken(SPEC_RULES, spec as TelemetrySpec, ["spec"]),
  ];
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function broken<Subject>(rules: readonly Rule<Subject>[], subject: Subject, at: Path): Finding[] {
  return rules.flatMap(({ path, message, holds, bySchema = false }) => {
    try {
      return bySchema || holds(subject) ? [] : [{ path: [...at, ...path], message }];
    } catch {
      // A field of the rule has the wrong type, which `check` has reported.
      return [];
    }
  });
}

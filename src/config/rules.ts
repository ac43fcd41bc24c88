import { parseDuration } from "../lib/duration.ts";
import type { Path } from "./check.ts";
import { TAG_KEY } from "./schema-parts.ts";
import type { LabelSelector, TargetSpec, TelemetrySpec } from "./schema.ts";
import { RESERVED_TAGS, TAG_OF_CEL, tagOf } from "./tag-names.ts";

/**
 * Rules over more than one field, each in CEL for the CRD and in TypeScript for files, side by side; `self` in
 * the CEL text is what `holds` is given. A rule whose fields are malformed holds: those are reported
 * by themselves.
 */
export interface Rule<Subject> {
  /** The field that a finding names, below the subject. */
  readonly path: Path;
  readonly message: string;
  readonly cel: string;
  readonly holds: (subject: Subject) => boolean;
  /** In files the check of the schema reports it, at a better place. */
  readonly bySchema?: boolean;
}

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** Whether a duration lies within bounds; a malformed one does, see above. */
function within(text: string | undefined, minimumMs: number, maximumMs: number): boolean {
  const ms = text === undefined ? undefined : parseDuration(text);
  return ms === undefined || (ms >= minimumMs && ms <= maximumMs);
}

/** Whether a < b (or a <= b with `orEqual`) as durations. */
function shorter(a: string | undefined, b: string, { orEqual = false } = {}): boolean {
  const [left, right] = [a === undefined ? undefined : parseDuration(a), parseDuration(b)];
  return left === undefined || right === undefined || left < right || (orEqual && left === right);
}

const RESERVED_CEL = `['${RESERVED_TAGS.join("', '")}']`;
const RESERVED_MESSAGE = `must not take a tag of the measurements or of InfluxDB: ${RESERVED_TAGS.join(", ")}`;

/** A URL by its shape, in the syntax that Go and JavaScript share: what of it is allowed, other rules say. */
const URL_SHAPE = String.raw`^https?://([^/?#@\\]*@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9])?)(:[0-9]{1,5})?([/?#]([!-$&-~]|%[0-9A-Fa-f]{2})*)?$`;

/** What Kubernetes demands of a label selector. */
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

function tagSourceRule(field: "vmLabels" | "vmAnnotations"): Rule<TelemetrySpec> {
  return {
    path: ["tags", field],
    message: RESERVED_MESSAGE,
    cel: `self.tags.${field}.all(s, !(${TAG_OF_CEL} in ${RESERVED_CEL}))`,
    holds: ({ tags }) => !tags[field].some((source) => RESERVED_TAGS.includes(tagOf(source))),
  };
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
    path: ["deviceCache", "ttl"],
    message: "must not be shorter than collection.interval, and 24h at most",
    cel: "duration(self.deviceCache.ttl) >= duration(self.collection.interval) && duration(self.deviceCache.ttl) <= duration('24h')",
    holds: ({ deviceCache, collection }) =>
      shorter(collection.interval, deviceCache.ttl, { orEqual: true }) && within(deviceCache.ttl, 0, 24 * HOUR_MS),
  },
  {
    path: ["tags", "static"],
    message: RESERVED_MESSAGE,
    cel: `self.tags.static.all(k, !(k in ${RESERVED_CEL}))`,
    holds: ({ tags }) => !Object.keys(tags.static).some((key) => RESERVED_TAGS.includes(key)),
  },
  {
    path: ["tags", "static"],
    message: "must have keys of a letter, then letters, digits and underscores, 64 at most",
    cel: `self.tags.static.all(k, k.matches('${TAG_KEY}'))`,
    holds: ({ tags }) => Object.keys(tags.static).every((key) => new RegExp(TAG_KEY).test(key)),
    bySchema: true,
  },
  tagSourceRule("vmLabels"),
  tagSourceRule("vmAnnotations"),
  {
    path: ["tags"],
    message: "must not give one tag two values: static, vmLabels and vmAnnotations need tags of their own",
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
    message: "must be an http or https URL",
    cel: `self.url.matches(r'${URL_SHAPE}')`,
    // The second part refuses what no one can connect to and a shape does not show, such as port 70000.
    holds: ({ url }) => url.match(URL_SHAPE) !== null && URL.canParse(url),
  },
  {
    path: ["url"],
    message: "must not hold a user or password; give them as a Secret",
    cel: "!self.url.matches('^[^/]*//[^/?#]*@')",
    holds: ({ url }) => !/^[^/]*\/\/[^/?#]*@/.test(url),
  },
  {
    path: ["url"],
    message: "must not have a query or fragment; the agent makes its own",
    cel: "!self.url.contains('?') && !self.url.contains('#')",
    holds: ({ url }) => !/[?#]/.test(url),
  },
  {
    path: ["tls", "mode"],
    message:
      "must be Plaintext for an http URL: the token would travel unprotected. Use https, or say so with `mode: Plaintext`",
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

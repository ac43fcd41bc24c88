import { parseDuration } from "../lib/duration.ts";
import { FAMILY_NAMES, namesTakenBy } from "../contract.ts";
import type { Finding, Path } from "./check.ts";
import { TAG_KEY } from "./schema-parts.ts";
import type { LabelSelector, TargetSpec, TelemetrySpec } from "./schema.ts";
import { RESERVED_TAGS, TAG_OF_CEL, tagOf } from "./tag-names.ts";

/**
 * A rule over more than one field, in CEL for the CRD and in TypeScript for files. `self` in the CEL text is the argument
 * of `holds`. A rule whose fields are malformed holds, because malformed fields are reported separately.
 */
export interface Rule<Subject> {
  /** The field that a finding names, relative to the subject. */
  readonly path: Path;
  readonly message: string;
  readonly cel: string;
  readonly holds: (subject: Subject) => boolean;
  /** In files the schema check reports it, with a more exact path. */
  readonly bySchema?: boolean;
}

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
 * Returns the milliseconds of a duration in CEL. Evaluators disagree whether getMilliseconds() is the whole duration or
 * its part below a second, so it is used only for a duration below a second.
 */
function milliseconds(field: string): string {
  const whole = `duration(${field}).getSeconds()`;
  return `(${whole} * 1000 + (duration(${field}) - duration(string(${whole}) + 's')).getMilliseconds())`;
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

/** The tags of a configuration: its field, their names, and a CEL macro over them with the name of one as `tag`. */
const TAG_FIELDS: readonly {
  readonly field: "static" | "vmLabels" | "vmAnnotations";
  readonly names: (tags: TelemetrySpec["tags"]) => readonly string[];
  readonly all: (condition: (tag: string) => string) => string;
}[] = [
  {
    field: "static",
    names: (tags) => Object.keys(tags.static),
    all: (condition) => `self.tags.static.all(k, ${condition("k")})`,
  },
  ...(["vmLabels", "vmAnnotations"] as const).map((field) => ({
    field,
    names: (tags: TelemetrySpec["tags"]) => tags[field].map(tagOf),
    all: (condition: (tag: string) => string) => `self.tags.${field}.all(s, ${condition(TAG_OF_CEL)})`,
  })),
];

/** The rules that no tag has a name that is taken: by a tag, or by a field of a family that is collected. */
const TAG_NAME_RULES: readonly Rule<TelemetrySpec>[] = TAG_FIELDS.flatMap(({ field, names, all }) => [
  {
    path: ["tags", field],
    message: `must not use a tag of the measurements or of InfluxDB: ${RESERVED_TAGS.join(", ")}`,
    cel: all((tag) => `!(${tag} in ${celList(RESERVED_TAGS)})`),
    holds: ({ tags }: TelemetrySpec) => !names(tags).some((name) => RESERVED_TAGS.includes(name)),
  },
  {
    path: ["tags", field],
    message: "must not use the name of a field, such as state or errors: InfluxDB 3 rejects lines with such a tag",
    cel: FAMILY_NAMES.map(
      (family) =>
        `(!('${family}' in self.collection.families) || ${all((tag) => `!(${tag} in ${celList(namesTakenBy(family))})`)})`,
    ).join(" && "),
    holds: ({ tags, collection }: TelemetrySpec) => {
      const taken = new Set(collection.families.flatMap((family) => namesTakenBy(family)));
      return !names(tags).some((name) => taken.has(name));
    },
  },
]);

function celList(names: readonly string[]): string {
  return `['${names.join("', '")}']`;
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
    path: ["collection", "schedules"],
    message: "must have intervals that are whole multiples of collection.interval, 24h at most",
    cel: `!has(self.collection.schedules) || duration(self.collection.interval) < duration('1s') || self.collection.schedules.all(s, duration(s.interval) >= duration(self.collection.interval) && duration(s.interval) <= duration('24h') && ${milliseconds("s.interval")} % ${milliseconds("self.collection.interval")} == 0)`,
    holds: ({ collection: { interval, schedules = [] } }) =>
      !within(interval, 1_000, Infinity) || schedules.every((schedule) => isMultiple(schedule.interval, interval)),
  },
  {
    path: ["collection", "schedules"],
    message: "must not name a family twice",
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
    message: "must be an http or https URL, such as https://influxdb.example.com:8086",
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

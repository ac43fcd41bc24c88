import { parseDuration } from "../lib/duration.ts";
import type { Path } from "./check.ts";
import type { TargetSpec, TelemetrySpec } from "./schema.ts";

/**
 * Rules over more than one field, each in CEL for the CRD and in TypeScript for files, side by side. `on` says to which
 * object it belongs: `self` in the CEL text is that object. A rule whose fields are malformed holds: those are reported
 * by themselves.
 */
export interface Rule<Subject> {
  /** The field that a finding names, below the subject. */
  readonly path: Path;
  readonly message: string;
  readonly cel: string;
  readonly holds: (subject: Subject) => boolean;
}

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** Tags of the data contract, which no static tag may take. */
const RESERVED_TAGS = [
  "VMID",
  "name",
  "uuid",
  "devtype",
  "device",
  "namespace",
  "node",
  "network",
  "volume",
  "time",
] as const;

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

function distinct(values: readonly unknown[]): boolean {
  return new Set(values).size === values.length;
}

function parsedUrl(target: TargetSpec): URL | undefined {
  return URL.canParse(target.url) ? new URL(target.url) : undefined;
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
      within(collection.timeout, 1, HOUR_MS) && shorter(collection.timeout, collection.interval),
  },
  {
    path: ["collection", "families"],
    message: "must not name a family twice",
    cel: "self.collection.families.all(f, self.collection.families.exists_one(g, g == f))",
    holds: ({ collection }) => distinct(collection.families),
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
    message: `must not take a tag of the measurements: ${RESERVED_TAGS.join(", ")}`,
    cel: `self.tags.static.all(k, !(k in ${JSON.stringify(RESERVED_TAGS).replaceAll('"', "'")}))`,
    holds: ({ tags }) => !Object.keys(tags.static).some((key) => (RESERVED_TAGS as readonly string[]).includes(key)),
  },
  {
    path: ["tags", "static"],
    message: "must have keys of a letter or underscore, then letters, digits and underscores, 64 at most",
    cel: "self.tags.static.all(k, k.matches('^[A-Za-z_][A-Za-z0-9_]{0,63}$'))",
    // In files the key itself is reported, at its own line.
    holds: () => true,
  },
  {
    path: ["buffer", "maxAge"],
    message: "must be from 1m to 168h",
    cel: "duration(self.buffer.maxAge) >= duration('1m') && duration(self.buffer.maxAge) <= duration('168h')",
    holds: ({ buffer }) => within(buffer.maxAge, MINUTE_MS, 168 * HOUR_MS),
  },
  {
    path: ["targets"],
    message: "must not have two targets of one name",
    cel: "self.targets.all(t, self.targets.exists_one(u, u.name == t.name))",
    holds: ({ targets }) => distinct(targets.map(({ name }) => name)),
  },
];

export const TARGET_RULES: readonly Rule<TargetSpec>[] = [
  {
    path: ["url"],
    message: "must be an http or https URL",
    cel: "isURL(self.url) && url(self.url).getScheme() in ['http', 'https']",
    holds: (target) => ["http:", "https:"].includes(parsedUrl(target)?.protocol ?? ""),
  },
  {
    path: ["url"],
    message: "must not hold a user or password; give them as a Secret",
    cel: "!isURL(self.url) || !self.url.matches('^[^/]*//[^/?#]*@')",
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
    holds: (target) => parsedUrl(target)?.protocol !== "http:" || target.tls.mode === "Plaintext",
  },
  {
    path: ["tls", "mode"],
    message: "must not be Plaintext for an https URL",
    cel: "!self.url.startsWith('https://') || self.tls.mode != 'Plaintext'",
    holds: (target) => parsedUrl(target)?.protocol !== "https:" || target.tls.mode !== "Plaintext",
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
  {
    path: ["families"],
    message: "must not name a family twice",
    cel: "!has(self.families) || self.families.all(f, self.families.exists_one(g, g == f))",
    holds: ({ families }) => families === undefined || distinct(families),
  },
];

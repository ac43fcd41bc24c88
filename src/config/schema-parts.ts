import type { TStringOptions } from "typebox";
import * as Type from "typebox";
import { FAMILY_NAMES } from "../contract.ts";
import { DURATION_PATTERN, formatDuration } from "../lib/duration.ts";
import { choice, keyedList, list, set } from "../lib/schema-types.ts";

/** Pattern -> the required form in words, for error messages. */
export const PATTERN_HELP = new Map<string, string>();
/** Pattern -> a function that returns a correction for a value that the pattern rejects, if there is a likely one. */
export const PATTERN_HINT = new Map<string, (value: unknown) => string | undefined>();

function described(pattern: string, help: string): string {
  PATTERN_HELP.set(pattern, help);
  return pattern;
}

const DURATION = described(DURATION_PATTERN, "a duration such as 5s, 500ms or 1h30m");
/** How people write a unit of time -> its milliseconds, and what is wrong with it. */
const TIME_UNITS: readonly (readonly [unit: RegExp, ms: number, why: string])[] = [
  [/^$/, 1_000, "the unit is missing"],
  [/^(ms|millis(econds?)?)$/, 1, "the units are h, m, s and ms"],
  [/^s(ec(ond)?s?)?$/, 1_000, "the units are h, m, s and ms"],
  [/^m(in(ute)?s?)?$/, 60_000, "the units are h, m, s and ms"],
  [/^h(rs?|ours?)?$/, 3_600_000, "the units are h, m, s and ms"],
  [/^d(ays?)?$/, 86_400_000, "there is no unit for days"],
  [/^w(eeks?)?$/, 604_800_000, "there is no unit for weeks"],
];
PATTERN_HINT.set(DURATION, (value) => {
  if (typeof value !== "string" && typeof value !== "number") return undefined;
  const given = String(value).trim().toLowerCase();
  const [, number, unit = ""] = /^([0-9]{1,5}(?:\.[0-9]{1,3})?) *([a-z]*)$/.exec(given) ?? [];
  const [, ms, why] = (number !== undefined && TIME_UNITS.find(([pattern]) => pattern.test(unit))) || [];
  if (ms !== undefined) return `${why}, write ${formatDuration(Number(number) * ms)}`;
  const compact = given.slice(0, 32).replace(/ +/g, "");
  return new RegExp(DURATION).test(compact) ? `write ${compact}` : undefined;
});
export const DNS_LABEL = described(
  "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
  "a DNS label: lower-case letters, digits and dashes",
);
const OBJECT_NAME = described(
  "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
  "the name of an object: lower-case letters, digits, dashes and dots",
);
const DATA_KEY = described(
  "^[-._a-zA-Z0-9]+$",
  "a key of a Secret or ConfigMap: letters, digits, dashes, dots and underscores",
);
/** TAG_OF_CEL relies on this set of characters: CEL cannot replace by a pattern. */
const LABEL_KEY = described(
  "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$",
  "the key of a label or annotation, such as `team` or `example.com/team`",
);
const NAMESPACE = described(
  "^([a-z0-9]([-a-z0-9]*[a-z0-9])?|[a-z0-9][-a-z0-9]*\\*|\\*)$",
  "a namespace name, or a prefix that ends with `*`",
);
// InfluxDB 2 reserves names that begin with an underscore and rejects the whole batch for one.
export const TAG_KEY = described(
  "^[A-Za-z][A-Za-z0-9_]{0,63}$",
  "a tag key: a letter, then letters, digits and underscores, 64 at most",
);

/** A `token` of RFC 9110. */
const HEADER_NAME = described(
  "^[-!#$%&'*+.^_`|~0-9A-Za-z]+$",
  "the name of a header: letters, digits and dashes, such as X-Scope-OrgID",
);
const HEADER_VALUE = described("^[!-~]([ -~]*[!-~])?$", "printable ASCII text without blanks around it");

/** No `#` at the start: InfluxDB would treat every line as a comment and acknowledge it. */
export const PREFIX = described(
  "^([A-Za-z][-A-Za-z0-9_.:/]*)?$",
  "a letter, then letters, digits, underscores, dots, colons, slashes and dashes",
);

type Options = TStringOptions & { readonly description: string };

export const text = (options: Options) => Type.String({ minLength: 1, maxLength: 256, ...options });
export const name = (description: string) => text({ description, maxLength: 253, pattern: OBJECT_NAME });
export const dataKey = (description: string, key: string) =>
  text({ description, default: key, maxLength: 253, pattern: DATA_KEY });
export const duration = (options: Options) => Type.String({ maxLength: 32, pattern: DURATION, ...options });
export const integer = (description: string, defaultValue: number, minimum: number, maximum: number) =>
  Type.Integer({ description, default: defaultValue, minimum, maximum });
/** A map of strings. OpenAPI has no `keyPattern`, so the CRD has it as a rule. */
export const map = (options: {
  description: string;
  maxProperties: number;
  valueMaxLength: number;
  keyPattern: string;
}) =>
  Type.Unsafe<Readonly<Record<string, string>>>({
    type: "object",
    description: options.description,
    default: {},
    maxProperties: options.maxProperties,
    "x-key-pattern": options.keyPattern,
    additionalProperties: { type: "string", minLength: 1, maxLength: options.valueMaxLength },
  });

export const labelSelector = (description: string) =>
  Type.Object(
    {
      matchLabels: Type.Optional(
        Type.Unsafe<Readonly<Record<string, string>>>({
          type: "object",
          description: "Labels and their required values.",
          maxProperties: 16,
          additionalProperties: { type: "string", maxLength: 63 },
        }),
      ),
      matchExpressions: Type.Optional(
        list(
          Type.Object({
            key: text({ description: "Label key.", maxLength: 317, pattern: LABEL_KEY }),
            operator: choice(["In", "NotIn", "Exists", "DoesNotExist"], "How the label is compared."),
            values: Type.Optional(
              list(Type.String({ maxLength: 63 }), { description: "Values for In and NotIn.", maxItems: 64 }),
            ),
          }),
          { description: "Requirements; all must hold.", maxItems: 16 },
        ),
      ),
    },
    { description, "x-kubernetes-map-type": "atomic" },
  );

export const namespaces = (description: string) =>
  Type.Object(
    {
      include: Type.Optional(
        set(text({ description: "Name.", maxLength: 63, pattern: NAMESPACE }), {
          description: "Only these namespaces.",
          maxItems: 64,
        }),
      ),
      exclude: Type.Optional(
        set(text({ description: "Name.", maxLength: 63, pattern: NAMESPACE }), {
          description: "All but these namespaces.",
          maxItems: 64,
        }),
      ),
    },
    { description },
  );

export const families = (description: string) =>
  set(choice(FAMILY_NAMES, "Family."), { description, minItems: 1, maxItems: 16 });

/** Atomic, not a set: with a set a server-side apply would keep the items of the default. */
export const defaultedFamilies = (description: string, defaults: readonly string[]) =>
  list(choice(FAMILY_NAMES, "Family."), { description, minItems: 1, maxItems: 16, default: defaults });

export const tagSources = (what: string) =>
  keyedList(
    "key",
    Type.Object({
      key: text({ description: `Key of the ${what}.`, maxLength: 317, pattern: LABEL_KEY }),
      tag: Type.Optional(
        text({
          description: "Tag key. If not given: the key, with `_` instead of characters that a tag key cannot have.",
          maxLength: 64,
          pattern: TAG_KEY,
        }),
      ),
    }),
    { description: `VMI ${what}s to copy into tags.`, maxItems: 16, default: [] },
  );

export const secretKeyRef = (description: string, key = "token") =>
  Type.Object(
    { name: name("Secret in the agent's own namespace."), key: dataKey("Key in the Secret.", key) },
    { description },
  );

export const headers = (description: string) =>
  keyedList(
    "name",
    Type.Object({
      name: text({ description: "Name of the header.", maxLength: 64, pattern: HEADER_NAME }),
      value: Type.Optional(
        text({ description: "Value that is not a secret.", maxLength: 1024, pattern: HEADER_VALUE }),
      ),
      valueSecretRef: Type.Optional(secretKeyRef("Value that is a secret.", "value")),
    }),
    { description, maxItems: 16, default: [] },
  );

export const objectKeyRef = (what: string) =>
  Type.Object(
    { name: name(`${what} in the agent's own namespace.`), key: dataKey("Key with the PEM text.", "ca.crt") },
    { description: `A ${what}.` },
  );

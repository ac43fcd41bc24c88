import { FAMILY_NAMES, namesTakenBy } from "../contract.ts";
import type { Rule } from "./rule.ts";
import type { TelemetrySpec } from "./schema.ts";
import { RESERVED_TAGS, TAG_OF_CEL, tagOf } from "./tag-names.ts";

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

/** The rules that no tag has a name that is taken: by a tag, or by a field or tag of a collected family. */
export const TAG_NAME_RULES: readonly Rule<TelemetrySpec>[] = TAG_FIELDS.flatMap(({ field, names, all }) => [
  {
    path: ["tags", field],
    message: `must not use a tag of the measurements or of InfluxDB: ${RESERVED_TAGS.join(", ")}`,
    cel: all((tag) => `!(${tag} in ${celList(RESERVED_TAGS)})`),
    holds: ({ tags }: TelemetrySpec) => !names(tags).some((name) => RESERVED_TAGS.includes(name)),
  },
  {
    path: ["tags", field],
    message:
      "must not use the name of a field or tag of a collected family, such as state: InfluxDB 3 rejects lines with such a tag",
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

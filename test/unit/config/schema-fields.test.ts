import assert from "node:assert/strict";
import { test } from "node:test";
import { formatPath, type Path } from "../../../src/config/check.ts";
import type { Schema } from "../../../src/config/json-schema.ts";
import { parseConfig } from "../../../src/config/parse.ts";
import { SPEC_SCHEMA } from "../../../src/config/schema.ts";
import { CLUSTER_SPEC, changed, configText, pathsIn } from "../../support/config.ts";

function faultsOf(spec: unknown): string[] {
  const { faults = [] } = parseConfig(configText(spec), { cluster: true });
  return faults.map(({ path, message }) => `${path}: ${message}`);
}

/** Returns schema and path of every field in a spec, with each item of its lists. */
function fieldsIn(schema: Schema, value: unknown, path: Path): { path: Path; schema: Schema }[] {
  const below = Object.entries(value ?? {}).flatMap(([key, item]: [string, unknown]) => {
    const at = Array.isArray(value) ? Number(key) : key;
    const next = schema.items ?? schema.properties?.[key] ?? schema.additionalProperties;
    return typeof next === "object" ? fieldsIn(next, item, [...path, at]) : [];
  });
  return [{ path, schema }, ...(typeof value === "object" ? below : [])];
}

const FIELDS = fieldsIn(SPEC_SCHEMA as unknown as Schema, CLUSTER_SPEC, []).slice(1);

test("the full spec of these tests has every field of the schema", () => {
  const all = (schema: Schema, at: string): string[] => [
    ...Object.entries(schema.properties ?? {}).flatMap(([key, property]) => [
      `${at}.${key}`,
      ...all(property, `${at}.${key}`),
    ]),
    ...(schema.items === undefined ? [] : all(schema.items, at)),
  ];
  const given = new Set(
    pathsIn(CLUSTER_SPEC).map((path) => ["", ...path.filter((part) => typeof part === "string")].join(".")),
  );
  assert.deepEqual(
    all(SPEC_SCHEMA as unknown as Schema, "").filter((path) => !given.has(path)),
    [],
  );
});

const OF_EVERY_TYPE: readonly (readonly [type: Schema["type"] | "none", value: unknown])[] = [
  ["object", {}],
  ["array", []],
  ["string", "text"],
  ["integer", 1],
  ["none", 1.5],
  ["boolean", true],
  ["none", null],
];

test("a value of the wrong type is a fault at its field and line, for every field", () => {
  for (const { path, schema } of FIELDS) {
    for (const [type, value] of OF_EVERY_TYPE) {
      if (type === schema.type) continue;
      const text = configText(changed(CLUSTER_SPEC, path, value));
      const { faults = [] } = parseConfig(text, { cluster: true });
      const at = `spec.${formatPath(path)}`;
      const fault = faults.find((one) => one.path === at && /^must be (?:a|true or false)/.test(one.message));
      assert.ok(fault, JSON.stringify({ at, value, faults }));
      const line = text.split("\n")[fault.line - 1] ?? "";
      const last = path.at(-1);
      assert.match(
        line,
        typeof last === "number" ? /^ *- / : new RegExp(`^ *(- )*${String(last)}:`),
        JSON.stringify({ at, value, line }),
      );
    }
  }
});

test("a missing required field is a fault", () => {
  const required = FIELDS.flatMap(({ path, schema }) =>
    (schema.required ?? [])
      .filter((key) => schema.properties?.[key]?.default === undefined)
      .map((key) => [...path, key]),
  );
  for (const path of required) {
    assert.ok(
      faultsOf(changed(CLUSTER_SPEC, path, undefined)).includes(`spec.${formatPath(path)}: is missing`),
      formatPath(path),
    );
  }
  assert.ok(required.length > 20, `${required.length} required fields`);
});

test("an unknown field is a fault in every object", () => {
  for (const { path, schema } of FIELDS.filter(
    ({ schema: { type, additionalProperties } }) => type === "object" && additionalProperties === undefined,
  )) {
    const faults = faultsOf(changed(CLUSTER_SPEC, [...path, "zzz"], 1));
    const known = Object.keys(schema.properties ?? {}).join(", ");
    assert.deepEqual(faults, [`spec.${formatPath(path)}.zzz: is not a known field; known are ${known}`]);
  }
});

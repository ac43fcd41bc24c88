import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { statusPages } from "../../../src/observability/status-page.ts";
import { troubledView } from "../../support/agent-view.ts";

/** Returns the names of all fields of a value, at any depth. */
function fieldsOf(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(fieldsOf);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [name, ...fieldsOf(inner)]);
}

test("docs/status-page.md names every field of /status.json", async () => {
  const text = await readFile("docs/status-page.md", "utf8");
  const named = new Set([...text.matchAll(/`(\w+)`/g)].map(([, name]) => name));
  const { body } = statusPages(troubledView())["/status.json"](new URLSearchParams());
  const fields = new Set(fieldsOf(JSON.parse(body)));
  assert.ok(fields.size > 40);
  assert.deepEqual(
    [...fields].filter((name) => !named.has(name)),
    [],
  );
});

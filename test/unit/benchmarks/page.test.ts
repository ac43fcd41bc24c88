import assert from "node:assert/strict";
import { test } from "node:test";
import { page } from "../../../benchmarks/page.ts";

const NAMES = ["first", "second", "third"];

test("a measured part replaces the old one at its position", () => {
  const texts = NAMES.map((name): [string, string] => [name, `## ${name}\n\n| a table |\n| --- |`]);
  const whole = page(NAMES, new Map(texts), "");
  const updated = page(NAMES, new Map([["second", "## measured again"]]), `${whole}\n`);
  assert.equal(updated, whole.replace(`## second\n\n| a table |\n| --- |`, "## measured again"));
  assert.equal(page(NAMES, new Map(), updated), updated);
});

test("a part without a measurement is left out, and added in order later", () => {
  const parts = (text: string): readonly string[] => text.match(/^## .*$/gm) ?? [];
  const measured = new Map(["first", "third"].map((name) => [name, `## ${name}`]));
  const without = page(NAMES, measured, "");
  assert.deepEqual(parts(without), ["## first", "## third"]);
  assert.deepEqual(
    parts(page(NAMES, new Map([["second", "## second"]]), without)),
    NAMES.map((name) => `## ${name}`),
  );
});

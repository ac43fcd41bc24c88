import assert from "node:assert/strict";
import { test } from "node:test";
import { page } from "../../../benchmarks/page.ts";

const NAMES = ["first", "second", "third"];

test("a measured part replaces the old one in its place", () => {
  const texts = NAMES.map((name): [string, string] => [name, `## ${name}\n\n| a table |\n| --- |`]);
  const whole = page(NAMES, new Map(texts), "");
  const anew = page(NAMES, new Map([["second", "## measured anew"]]), `${whole}\n`);
  assert.equal(anew, whole.replace(`## second\n\n| a table |\n| --- |`, "## measured anew"));
  assert.equal(page(NAMES, new Map(), anew), anew);
});

test("a part that was never measured is left out, and later added in order", () => {
  const parts = (text: string): readonly string[] => text.match(/^## .*$/gm) ?? [];
  const measured = new Map(["first", "third"].map((name) => [name, `## ${name}`]));
  const without = page(NAMES, measured, "");
  assert.deepEqual(parts(without), ["## first", "## third"]);
  assert.deepEqual(
    parts(page(NAMES, new Map([["second", "## second"]]), without)),
    NAMES.map((name) => `## ${name}`),
  );
});

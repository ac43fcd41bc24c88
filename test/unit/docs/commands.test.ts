import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { docBlocks } from "../../support/docs.ts";

/** Page -> the tests that run all its commands. */
const RUN_BY: Readonly<Record<string, readonly string[]>> = {
  "README.md": ["test/integration/install-docs.test.ts", "test/integration/quick-start.test.ts"],
  "docs/install.md": ["test/integration/install-docs.test.ts"],
  "docs/runbook.md": ["test/integration/install-docs.test.ts"],
  "docs/upgrade.md": ["test/integration/install-docs.test.ts"],
};

test("every command of the pages is run by a test or has a reason not to be", () => {
  const left = globSync(["*.md", "docs/**/*.md"])
    .filter((page) => !(page in RUN_BY))
    .flatMap((page) => docBlocks(page).map((block) => ({ page, ...block })))
    .filter(({ language, notRun }) => ["sh", "bash", "shell", "console"].includes(language) && notRun === undefined);
  assert.deepEqual(left, []);
});

test("the tests that run commands read their pages", () => {
  for (const [page, files] of Object.entries(RUN_BY))
    for (const file of files) assert.ok(readFileSync(file, "utf8").includes(`"${page}"`), `${file}: ${page}`);
});

test("no code block is indented, because these tests would not see it", () => {
  for (const page of globSync(["*.md", "docs/**/*.md"]))
    assert.doesNotMatch(readFileSync(page, "utf8"), /^[ >]+```/m, page);
});

test("CONTRIBUTING.md has every npm script", () => {
  const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> };
  const documented = [...readFileSync("CONTRIBUTING.md", "utf8").matchAll(/^\| `npm (?:run )?(\w+)`/gm)].map(
    ([, name]) => name,
  );
  assert.deepEqual(documented.sort(), Object.keys(scripts).sort());
});

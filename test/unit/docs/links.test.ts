import assert from "node:assert/strict";
import { existsSync, globSync, statSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { anchorOf, docHeadings, outsideOfCode } from "../../support/docs.ts";

const PAGES = globSync(["*.md", "docs/**/*.md", "charts/*/README.md"]).sort();

interface Link {
  readonly page: string;
  readonly to: string;
}

const links = PAGES.flatMap((page): Link[] =>
  [...outsideOfCode(page).matchAll(/\]\((?<to>[^)\s]+)\)|\b(?:src|href|srcset)="(?<attribute>[^"]+)"/g)].map(
    ({ groups = {} }) => ({ page, to: groups["to"] ?? groups["attribute"] ?? "" }),
  ),
);
const inner = links.filter(({ to }) => !/^[a-z]+:/.test(to));

test("every link to a file resolves", () => {
  assert.ok(inner.length > 50);
  const broken = inner.filter(({ page, to }) => !existsSync(fileOf({ page, to })));
  assert.deepEqual(broken, []);
});

test("every link to a section resolves", () => {
  const broken = inner.filter(({ page, to }) => {
    const [, anchor] = to.split("#");
    const file = fileOf({ page, to });
    if (anchor === undefined || !statSync(file).isFile() || !file.endsWith(".md")) return false;
    return !docHeadings(file).map(anchorOf).includes(anchor);
  });
  assert.deepEqual(broken, []);
});

test("external links are https", () => {
  assert.deepEqual(
    links.filter(({ to }) => /^[a-z]+:/.test(to) && !to.startsWith("https://")),
    [],
  );
});

test("the README links to every page of the documentation", () => {
  const listed = inner.filter(({ page }) => page === "README.md").map(fileOf);
  const pages = PAGES.filter((page) => page !== "README.md" && path.dirname(page) !== "docs/adr");
  const missing = [...pages, "docs/adr/README.md"].filter((page) => !listed.includes(page));
  assert.deepEqual(missing, []);
});

test("every picture is used on a page", () => {
  const shown = inner.map(fileOf);
  assert.deepEqual(
    globSync("docs/images/*").filter((picture) => !shown.includes(picture)),
    [],
  );
});

function fileOf({ page, to }: Link): string {
  const [file = ""] = to.split("#");
  return file === "" ? page : path.normalize(path.join(path.dirname(page), file)).replace(/\/$/, "");
}

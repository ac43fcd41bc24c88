import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

/**
 * Part of src -> the parts that it may import, besides itself. Lines flow through discovery -> collection -> measurement ->
 * spool -> delivery; a stage may import only stages to its left.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  budget: [],
  errors: ["budget", "lib"],
  contract: [],
  version: [],
  log: ["lib"],
  // Depends on no other part: it could be a package.
  libvirt: [],
  // Generic: contains no kind and no configuration of this agent.
  kubernetes: ["errors", "lib"],
  config: ["contract", "errors", "lib"],
  discovery: ["budget", "errors", "lib", "libvirt"],
  collection: ["budget", "contract", "discovery", "errors", "lib", "libvirt"],
  measurement: ["budget", "collection", "contract"],
  spool: ["errors", "lib"],
  delivery: ["config", "errors", "lib", "spool"],
  status: ["lib"],
  simulator: ["lib", "libvirt"],
  // Connects Kubernetes to the stages.
  cluster: ["config", "discovery", "errors", "kubernetes", "lib", "log", "status"],
  // Composition roots, and the parts that only they use.
  routing: ["budget", "collection", "config", "contract", "delivery", "errors", "lib", "measurement", "spool"],
  node: [
    "budget",
    "cluster",
    "collection",
    "config",
    "contract",
    "delivery",
    "discovery",
    "errors",
    "kubernetes",
    "lib",
    "log",
    "measurement",
    "observability",
    "routing",
    "spool",
    "status",
    "version",
  ],
  // Pages, metrics and health of agents and controllers.
  observability: [
    "budget",
    "collection",
    "config",
    "delivery",
    "errors",
    "kubernetes",
    "lib",
    "log",
    "measurement",
    "spool",
    "status",
  ],
  top: ["collection", "config", "discovery", "errors", "lib", "node"],
  agent: ["collection", "delivery", "errors", "lib", "node", "observability", "routing", "spool"],
  controller: ["cluster", "kubernetes", "lib", "log", "observability", "version"],
  commands: [
    "agent",
    "budget",
    "cluster",
    "config",
    "controller",
    "errors",
    "kubernetes",
    "lib",
    "log",
    "observability",
    "simulator",
    "spool",
    "top",
    "version",
  ],
  "command-line": ["commands", "errors", "log", "observability", "top", "version"],
  main: ["command-line", "lib"],
};

const SRC = path.join(import.meta.dirname, "../src");

/** File below src -> the files of src that it imports. */
const imports = new Map(
  globSync("**/*.ts", { cwd: SRC }).map((file) => {
    const text = readFileSync(path.join(SRC, file), "utf8");
    const found = [...text.matchAll(/\b(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)].map(([, to = ""]) =>
      path.join(path.dirname(file), to),
    );
    return [file, found.filter((to) => to.endsWith(".ts"))];
  }),
);

/** Returns `libvirt` for `libvirt/xdr.ts`, and `agent` for `agent.ts`. */
function partOf(file: string): string {
  return file.split("/")[0]?.replace(/\.ts$/, "") ?? "";
}

test("the table lists exactly the parts of src", () => {
  assert.deepEqual([...new Set([...imports.keys()].map(partOf))].sort(), Object.keys(MAY_IMPORT).sort());
});

test("a part imports only what the table allows", () => {
  const wrong = [...imports].flatMap(([file, targets]) =>
    targets
      .filter((to) => partOf(to) !== partOf(file) && MAY_IMPORT[partOf(file)]?.includes(partOf(to)) !== true)
      .map((to) => `${file} imports ${to}`),
  );
  assert.deepEqual(wrong, []);
});

test("imports have no cycles", () => {
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (file: string, trail: readonly string[]): void => {
    if (trail.includes(file)) cycles.push([...trail.slice(trail.indexOf(file)), file].join(" -> "));
    else if (!done.has(file)) for (const to of imports.get(file) ?? []) visit(to, [...trail, file]);
    done.add(file);
  };
  for (const file of imports.keys()) visit(file, []);
  assert.deepEqual(cycles, []);
});

test("only main.ts ends the process and handles the signals that end it", () => {
  const offenders = [...imports.keys()].filter(
    (file) =>
      file !== "main.ts" &&
      /process\.exit(Code)?\b|process\.on(ce)?\("SIG(?!HUP)/.test(readFileSync(path.join(SRC, file), "utf8")),
  );
  assert.deepEqual(offenders, []);
});

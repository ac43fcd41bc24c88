// Measures the tables of docs/benchmarks.md again: all of them, or those of the parts in the arguments. With `compare COMMIT` it
// compares the agent of a commit with the one of this checkout, and changes no page.
import { readFileSync, writeFileSync } from "node:fs";
import { page } from "../benchmarks/page.ts";
import { fail, formatPage, longRun } from "./long-run.ts";

const FILE = "docs/benchmarks.md";

interface Part {
  /** Its imports tell what the part needs. */
  readonly file: string;
  /** Measures the part; resolves to its text. */
  readonly load: () => Promise<{ measure(resources: AsyncDisposableStack): Promise<string> }>;
}

const PARTS: Readonly<Record<string, Part>> = {
  cycle: { file: "benchmarks/cycle-part.ts", load: () => import("../benchmarks/cycle-part.ts") },
  forms: { file: "benchmarks/forms-part.ts", load: () => import("../benchmarks/forms-part.ts") },
  growth: { file: "benchmarks/growth-part.ts", load: () => import("../benchmarks/growth-part.ts") },
  delivery: { file: "benchmarks/delivery-part.ts", load: () => import("../benchmarks/delivery-part.ts") },
};

const COMPARE = "benchmarks/compare.ts";

const asked = process.argv.slice(2);
const [command, commit] = asked;
if (command === "compare") {
  if (commit === undefined) fail("compare needs a commit");
  await longRun([COMPARE], async (resources) => {
    const { compare } = await import("../benchmarks/compare.ts");
    console.log(`\n${await compare(commit, resources)}`);
  });
}
const unknown = asked.filter((name) => PARTS[name] === undefined);
if (unknown.length > 0) fail(`unknown part ${unknown.join(", ")}; the parts are ${Object.keys(PARTS).join(", ")}`);
const chosen = Object.entries(PARTS).filter(([name]) => asked.length === 0 || asked.includes(name));

await longRun(
  chosen.map(([, { file }]) => file),
  async (resources) => {
    const measured = new Map<string, string>();
    for (const [name, { load }] of chosen) {
      const part = await load();
      measured.set(name, await part.measure(resources));
    }
    const text = page(Object.keys(PARTS), measured, readFileSync(FILE, "utf8"));
    writeFileSync(FILE, await formatPage(text, FILE));
    console.log(`\n${[...measured.values()].join("\n\n")}`);
  },
);

// The tables of docs/benchmarks.md, measured anew: all of them, or those of the parts that are named.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { format } from "prettier";
import { page } from "../benchmarks/page.ts";
import { interrupted } from "./interrupted.ts";
import { provision } from "./provision/provision.ts";

const FILE = "docs/benchmarks.md";

interface Part {
  /** By what it imports it is known what it needs. */
  readonly file: string;
  /** Measures it, and writes what is to be said of it. */
  readonly load: () => Promise<{ measure(resources: AsyncDisposableStack): Promise<string> }>;
}

const PARTS: Readonly<Record<string, Part>> = {
  cycle: { file: "benchmarks/cycle-part.ts", load: () => import("../benchmarks/cycle-part.ts") },
  delivery: { file: "benchmarks/delivery-part.ts", load: () => import("../benchmarks/delivery-part.ts") },
};

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => PARTS[name] === undefined);
if (unknown.length > 0) fail(`there is no part ${unknown.join(", ")}, but ${Object.keys(PARTS).join(", ")}`);
const chosen = Object.entries(PARTS).filter(([name]) => asked.length === 0 || asked.includes(name));
const missing = new Set([...provision(chosen.map(([, { file }]) => file)).values()].flat());
if (missing.size > 0) fail(`the benchmarks cannot run here; they need ${[...missing].join("; ")}`);
if (spawnSync("node", ["scripts/build.ts"], { stdio: "inherit" }).status !== 0) process.exit(1);

const resources = new AsyncDisposableStack();
try {
  const measured = await Promise.race([measure(), interrupted()]);
  const config = JSON.parse(readFileSync(".prettierrc.json", "utf8")) as object;
  const text = page(Object.keys(PARTS), measured, readFileSync(FILE, "utf8"));
  writeFileSync(FILE, await format(text, { ...config, filepath: FILE }));
  console.log(`\n${[...measured.values()].join("\n\n")}`);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await resources.disposeAsync();
}
// After an interruption the measurement is still under way.
process.exit();

async function measure(): Promise<ReadonlyMap<string, string>> {
  const measured = new Map<string, string>();
  for (const [name, { load }] of chosen) {
    const part = await load();
    measured.set(name, await part.measure(resources));
  }
  return measured;
}

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}

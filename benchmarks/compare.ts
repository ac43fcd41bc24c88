import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { compareDrains } from "./drain-compare.ts";
import { measureForms, type FormCase } from "./form-costs.ts";
import { FORM_NOTE, formTable } from "./form-report.ts";
import type { Checkout } from "./forms.ts";
import { circumstancesOf } from "./machine.ts";
import { circumstances } from "./markdown.ts";

const ARCHIVE_BYTES = 256 * 1024 ** 2;

const CASES: readonly FormCase[] = [
  { form: "bare", domains: 50 },
  { form: "standalone", domains: 50 },
  { form: "cluster", domains: 50 },
  { form: "idle", domains: 1 },
];

/**
 * Compares the agent of a commit with the one of this checkout, in all forms at once, and then the drain of a backlog. Returns the
 * tables. Takes about twelve minutes.
 */
export async function compare(commit: string, resources: AsyncDisposableStack): Promise<string> {
  const now = circumstancesOf({});
  const before = checkoutOf(commit, resources);
  const checkouts = [before, { name: "this one", directory: "." }];
  const costs = await measureForms(checkouts, CASES, resources);
  const drains = await compareDrains(checkouts);
  return `${circumstances(now(), `compare ${commit}`)}\n\n${formTable(costs)}\n\n${FORM_NOTE}\n\n${drains}`;
}

/** Writes the sources of a commit to a temporary directory and builds their bundle, with the packages of this checkout. */
function checkoutOf(commit: string, resources: AsyncDisposableStack): Checkout {
  const name = execFileSync("git", ["rev-parse", "--short", `${commit}^{commit}`], { encoding: "utf8" }).trim();
  const directory = mkdtempSync(path.join(tmpdir(), "compare-"));
  resources.defer(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  execFileSync("tar", ["-x", "-C", directory], {
    input: execFileSync("git", ["archive", name], { maxBuffer: ARCHIVE_BYTES }),
  });
  symlinkSync(path.resolve("node_modules"), path.join(directory, "node_modules"));
  execFileSync("node", ["scripts/build.ts"], { cwd: directory, stdio: "inherit" });
  return { name, directory };
}

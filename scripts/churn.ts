// Whether an agent grows while launchers and their VMIs come and go. Takes an hour and writes docs/churn.md; with a number of
// minutes as its argument it lets as many VMIs come in that time, and only prints what came of it.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { format } from "prettier";
import { measureChurn } from "../benchmarks/churn.ts";
import { churnReport } from "../benchmarks/churn-report.ts";
import { circumstancesOf } from "../benchmarks/machine.ts";
import { kubernetesPath } from "./provision/cache.ts";
import { interrupted } from "./interrupted.ts";
import { provision } from "./provision/provision.ts";

const FILE = "docs/churn.md";
const WHOLE = 60;

const missing = [...provision(["scripts/churn.ts"]).values()].flat();
if (missing.length > 0) {
  console.error(`the churn cannot run here; it needs ${missing.join("; ")}`);
  process.exit(1);
}
if (spawnSync("node", ["scripts/build.ts"], { stdio: "inherit" }).status !== 0) process.exit(1);

const minutes = Number(process.argv[2] ?? WHOLE);
const circumstances = circumstancesOf({ Kubernetes: [kubernetesPath("kube-apiserver"), "--version"] });
const resources = new AsyncDisposableStack();
try {
  const figures = await Promise.race([measureChurn(minutes, resources), interrupted()]);
  const config = JSON.parse(readFileSync(".prettierrc.json", "utf8")) as object;
  const text = await format(churnReport(figures, circumstances()), { ...config, filepath: FILE });
  if (minutes >= WHOLE) writeFileSync(FILE, text);
  console.log(`\n${text}`);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await resources.disposeAsync();
}
// After an interruption the measurement is still under way.
process.exit();

// Measures whether an agent grows while launchers and their VMIs come and go. Takes an hour and writes docs/churn.md. With a
// number of minutes as its argument it creates as many VMIs in that time, and only prints the result.
import { writeFileSync } from "node:fs";
import { measureChurn } from "../benchmarks/churn.ts";
import { churnReport } from "../benchmarks/churn-report.ts";
import { circumstancesOf } from "../benchmarks/machine.ts";
import { formatPage, longRun } from "./long-run.ts";
import { kubernetesPath } from "./provision/cache.ts";

const FILE = "docs/churn.md";
const WHOLE = 60;

const minutes = Number(process.argv[2] ?? WHOLE);

await longRun(["scripts/churn.ts"], async (resources) => {
  const circumstances = circumstancesOf({ Kubernetes: [kubernetesPath("kube-apiserver"), "--version"] });
  const figures = await measureChurn(minutes, resources);
  const text = await formatPage(churnReport(figures, circumstances()), FILE);
  if (minutes >= WHOLE) writeFileSync(FILE, text);
  console.log(`\n${text}`);
});

// Measures what hostile launchers and clients of the port can do to an agent, and writes docs/hostile.md. Exit code 1 if a promise
// is broken. With --only or --seconds it only prints the result. --before DIR also measures the
// checkout in DIR, which needs node_modules.
import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { Attack } from "../benchmarks/hostile/attack.ts";
import { ATTACKS } from "../benchmarks/hostile/attacks.ts";
import { measure, type RunFigures } from "../benchmarks/hostile/measure.ts";
import { brokenNow, hostileReport, type MeasuredRun, type Version } from "../benchmarks/hostile/report.ts";
import { circumstancesOf } from "../benchmarks/machine.ts";
import { fail, formatPage, longRun } from "./long-run.ts";

const FILE = "docs/hostile.md";
const WARM_UP_S = 6;
const SECONDS = "10";

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    count: { type: "string", default: "1,5" },
    seconds: { type: "string", default: SECONDS },
    before: { type: "string" },
  },
});
const isWhole = values.only === undefined && values.seconds === SECONDS;
const seconds = Number(values.seconds);
const counts = values.count.split(",").map(Number);
const attacks = attacksOf(values.only);

await longRun(["scripts/hostile.ts"], async (resources) => {
  const circumstances = circumstancesOf({});
  const checkouts = new Map<Version, string>();
  if (values.before !== undefined) checkouts.set(versionOf("before", values.before), values.before);
  checkouts.set(versionOf("now", "."), ".");
  const run = async (checkout: string, attack: Attack | undefined, attackers: number): Promise<RunFigures> => {
    const figures = await measure({ checkout, attack, attackers, warmUpS: WARM_UP_S, seconds }, resources);
    console.log(JSON.stringify({ attack: attack?.name, attackers, checkout, ...figures }));
    return figures;
  };
  const quiet = new Map<Version, RunFigures>();
  for (const [version, checkout] of checkouts) quiet.set(version, await run(checkout, undefined, 0));
  const runs: MeasuredRun[] = [];
  const failures: string[] = [];
  // The versions take turns, so that other load on the machine affects both.
  for (const attack of attacks)
    for (const attackers of counts)
      for (const [version, checkout] of checkouts) {
        try {
          runs.push({ attack, attackers, version, figures: await run(checkout, attack, attackers) });
        } catch (error) {
          console.error(error);
          failures.push(`${attack.name}, ${attackers}, ${version.name}: could not be measured`);
        }
      }
  const figures = { quiet, runs, seconds };
  const text = await formatPage(hostileReport(figures, circumstances()), FILE);
  if (isWhole) writeFileSync(FILE, text);
  console.log(`\n${text}`);
  const broken = [...failures, ...brokenNow(figures)];
  for (const sentence of broken) console.error(`broken: ${sentence}`);
  if (broken.length > 0) process.exitCode = 1;
});

function attacksOf(only: string | undefined): readonly Attack[] {
  if (only === undefined) return ATTACKS;
  return only.split(",").map((name) => {
    const attack = ATTACKS.find((each) => each.name === name);
    return attack ?? fail(`there is no attack ${name}; the attacks are ${ATTACKS.map((each) => each.name).join(", ")}`);
  });
}

/** Builds the bundle of another checkout. */
function versionOf(name: Version["name"], checkout: string): Version {
  if (name === "before" && spawnSync("node", ["scripts/build.ts"], { cwd: checkout, stdio: "inherit" }).status !== 0)
    fail(`the bundle of ${checkout} cannot be built`);
  return {
    name,
    commit: execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: checkout, encoding: "utf8" }).trim(),
  };
}

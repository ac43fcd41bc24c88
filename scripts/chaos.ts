// The chaos test of delivery, for longer than `npm test` has time: `CHAOS_MINUTES=30 CHAOS_SEED=7 npm run chaos`. Prints
// what came of it, and fails when a line is lost.
import { spawnSync } from "node:child_process";
import { describeChaos } from "../test/integration/support/chaos-report.ts";
import { runChaos, type ChaosReport } from "../test/integration/support/chaos.ts";
import { interrupted } from "./interrupted.ts";
import { provision } from "./provision/provision.ts";

const missing = [...provision(["scripts/chaos.ts"]).values()].flat();
if (missing.length > 0) {
  console.error(`the chaos test cannot run here; it needs ${missing.join("; ")}`);
  process.exit(1);
}
if (spawnSync("node", ["scripts/build.ts"], { stdio: "inherit" }).status !== 0) process.exit(1);

const { CHAOS_SEED: seed = Date.now() % 1_000_000, CHAOS_MINUTES: minutes = 10 } = process.env;
const options = { seed: Number(seed), minutes: Number(minutes), say: console.log };
console.log(`seed ${seed}`);
const resources = new AsyncDisposableStack();
try {
  const report = await Promise.race([runChaos(options, resources), interrupted()]);
  console.log(`\n${describeChaos(report)}`);
  const faults = faultsIn(report);
  for (const fault of faults) console.error(fault);
  process.exitCode = faults.length > 0 ? 1 : 0;
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await resources.disposeAsync();
}
// After an interruption the chaos still goes on.
process.exit();

/** Some of what should not be. */
function faultsIn({ targets, written: { missingFrames } }: ChaosReport): readonly string[] {
  const faults = targets.flatMap(({ name, lost, givenUp, different, unwritten }) =>
    Object.entries({ lost, givenUp, different, unwritten }).flatMap(([what, lines]) =>
      lines.slice(0, 3).map((line) => `${name}, ${what}: ${line}`),
    ),
  );
  return missingFrames > 0 ? [...faults, `${missingFrames} frames are not in the spool any more`] : faults;
}

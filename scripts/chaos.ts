// Runs the chaos test of delivery for longer than `npm test` does: `CHAOS_MINUTES=30 CHAOS_SEED=7 npm run chaos`. Prints the
// result, and fails if a line is lost.
import { describeChaos } from "../test/integration/support/chaos-report.ts";
import { runChaos, type ChaosReport } from "../test/integration/support/chaos.ts";
import { longRun } from "./long-run.ts";

const { CHAOS_SEED: seed = Date.now() % 1_000_000, CHAOS_MINUTES: minutes = 10 } = process.env;
const options = { seed: Number(seed), minutes: Number(minutes), say: console.log };

await longRun(["scripts/chaos.ts"], async (resources) => {
  console.log(`seed ${seed}`);
  const report = await runChaos(options, resources);
  console.log(`\n${describeChaos(report)}`);
  const faults = faultsIn(report);
  if (faults.length > 0) throw new Error(faults.join("\n"));
});

/** Returns examples of every fault. */
function faultsIn({ targets, written: { missingFrames } }: ChaosReport): readonly string[] {
  const faults = targets.flatMap(({ name, lost, givenUp, different, unwritten }) =>
    Object.entries({ lost, givenUp, different, unwritten }).flatMap(([what, lines]) =>
      lines.slice(0, 3).map((line) => `${name}, ${what}: ${line}`),
    ),
  );
  return missingFrames > 0 ? [...faults, `${missingFrames} frames are no longer in the spool`] : faults;
}

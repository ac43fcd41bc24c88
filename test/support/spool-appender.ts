// A child process that appends ascending numbers, beginning with the second argument, until it is killed. It prints each number
// when it is durable. The target `live` acknowledges the lines, the target `dead` does not.
import { flushCompileCache } from "node:module";
import { systemClock } from "../../src/lib/clock.ts";
import { DurableSpool } from "../../src/spool/durable-spool.ts";
import { ALL, appendNumber, HUGE } from "./spool-bench.ts";

// A killed process does not write its compile cache.
flushCompileCache();
const [directory = "", from = "0"] = process.argv.slice(2);
const spool = await DurableSpool.open({
  directory,
  caps: HUGE,
  clock: systemClock,
  minFreeShare: 0,
  maxSegmentBytes: 4_000,
  memoryBytes: 1_000,
});
const live = spool.cursor("live");
spool.cursor("dead");
for (let number = Number(from); ; number++) {
  await appendNumber(spool, number);
  process.stdout.write(`${number}\n`);
  for (const { sequence } of (await live.read(ALL)).slice(-1)) live.acknowledge(sequence);
}

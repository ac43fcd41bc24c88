// A child process that appends numbers without end, beginning at the second argument, and prints each when it is durable. It
// acknowledges them for one target, and never for another.
import { systemClock } from "../../src/lib/clock.ts";
import { DurableSpool } from "../../src/spool/durable-spool.ts";
import { ALL, appendNumber, HUGE } from "./spool-bench.ts";

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

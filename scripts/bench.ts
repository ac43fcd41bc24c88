// The tables of docs/benchmarks.md, measured anew. Takes about a quarter of an hour, and less on a machine that is idle.
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { format } from "prettier";
import { measureCallCosts } from "../benchmarks/call-costs.ts";
import { measureCodec } from "../benchmarks/codec.ts";
import { measureCycleCosts } from "../benchmarks/cycle-costs.ts";
import { measureCycleWall } from "../benchmarks/cycle-wall.ts";
import { describeMachine, load } from "../benchmarks/machine.ts";
import { BenchNode, SHAPE } from "../benchmarks/node.ts";
import { report, type Figures } from "../benchmarks/report.ts";
import { provision } from "./provision/provision.ts";

const FILE = "docs/benchmarks.md";

const missing = [...provision(["scripts/bench.ts"]).values()].flat();
if (missing.length > 0) {
  console.error(`the benchmarks cannot run here; they need ${missing.join("; ")}`);
  process.exit(1);
}
if (spawnSync("node", ["scripts/build.ts"], { stdio: "inherit" }).status !== 0) process.exit(1);

const resources = new AsyncDisposableStack();
try {
  const figures = await Promise.race([measure(resources), interrupted()]);
  const config = JSON.parse(readFileSync(".prettierrc.json", "utf8")) as object;
  const text = await format(report(figures), { ...config, filepath: FILE });
  writeFileSync(FILE, text);
  console.log(`\n${text}`);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await resources.disposeAsync();
}
// After an interruption the measurement is still under way.
process.exit();

async function measure(resources: AsyncDisposableStack): Promise<Figures> {
  const loadAtStart = load();
  console.log("# from a reply to lines");
  const codec = await measureCodec();
  console.log(`# starting ${SHAPE.domains} guests`);
  const node = await BenchNode.start(resources);
  console.log("# what each call costs");
  const calls = await measureCallCosts(node);
  console.log("# wall time of a cycle");
  const wall = await measureCycleWall(node);
  console.log("# cycles of each program");
  const { programs, idle } = await measureCycleCosts(node, resources);
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: describeMachine(),
    load: [loadAtStart, load()],
    programs,
    idle,
    wall,
    calls,
    codec,
  };
}

async function interrupted(): Promise<never> {
  await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
  throw new Error("interrupted; everything that was started is ended");
}

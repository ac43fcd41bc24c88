import { measureCallCosts } from "./call-costs.ts";
import { measureCodec } from "./codec.ts";
import { measureCycleCosts } from "./cycle-costs.ts";
import { cycleReport } from "./cycle-report.ts";
import { measureCycleWall } from "./cycle-wall.ts";
import { circumstancesOf } from "./machine.ts";
import { BenchNode, SHAPE } from "./node.ts";
import { telegrafPath } from "../scripts/provision/cache.ts";

const PROGRAMS = {
  libvirt: ["libvirtd", "--version"],
  QEMU: ["qemu-system-x86_64", "--version"],
  Telegraf: [telegrafPath(), "--version"],
  Python: ["/usr/bin/python3", "--version"],
};

/** Measures the cost of a cycle on the node. Takes about twenty-five minutes. */
export async function measure(resources: AsyncDisposableStack): Promise<string> {
  const now = circumstancesOf(PROGRAMS);
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
  return cycleReport({ ...now(), programs, idle, wall, calls, codec });
}

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { parseHostStats, readHostStats } from "../../../src/node/host-stats.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const STAT = `cpu  100 20 30 4000 50 6 7 8 9 10
cpu0 50 10 15 2000 25 3 3 4 4 5
cpu1 50 10 15 2000 25 3 4 4 5 5
intr 12345 0 0
btime 1700000000
`;
const MEMINFO = `MemTotal:       16384000 kB
MemFree:         1234567 kB
MemAvailable:    8000000 kB
`;

test("times are in nanoseconds, and added up as libvirt does it", () => {
  assert.deepEqual(parseHostStats(STAT, MEMINFO), {
    cpus: 2,
    userNs: 1_200_000_000n,
    kernelNs: 430_000_000n,
    idleNs: 40_000_000_000n,
    iowaitNs: 500_000_000n,
    memoryKib: 16_384_000n,
    freeKib: 1_234_567n,
  });
});

test("a file without the expected values gives no values, and never wrong ones", () => {
  for (const stat of ["", "cpu", "cpu  a b c d", "cpu  1 2 3", `cpu  ${"9".repeat(30)} 2 3 4`])
    assert.equal(parseHostStats(stat, MEMINFO), undefined, stat);
  const { memoryKib, freeKib } = parseHostStats(STAT, "MemTotal: lots\n") ?? {};
  assert.deepEqual([memoryKib, freeKib], [undefined, undefined]);
});

test("the files are read from a directory, and without them there are no values", async (t) => {
  const directory = await temporaryDirectory(t);
  assert.equal(await readHostStats(directory), undefined);
  await writeFile(path.join(directory, "stat"), STAT);
  await writeFile(path.join(directory, "meminfo"), MEMINFO);
  assert.deepEqual(await readHostStats(directory), parseHostStats(STAT, MEMINFO));
});

test("this machine has CPUs, times and memory", async () => {
  const host = await readHostStats();
  assert.ok(host !== undefined && host.cpus > 0 && host.idleNs > 0n && (host.memoryKib ?? 0n) > (host.freeKib ?? 0n));
});

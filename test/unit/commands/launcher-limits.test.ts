import assert from "node:assert/strict";
import { test } from "node:test";
import { LAUNCHER_BUDGET } from "../../../src/budget.ts";
import { parseLauncherLimits } from "../../../src/commands/launcher-limits.ts";

test("a limit replaces the default, and the others stay", () => {
  assert.deepEqual(parseLauncherLimits([]), LAUNCHER_BUDGET);
  assert.deepEqual(parseLauncherLimits(["devices=2000, lines=4000", "runs=60"]), {
    ...LAUNCHER_BUDGET,
    devices: 2_000,
    lines: 4_000,
    runs: 60,
  });
});

for (const entry of [
  "",
  "devices",
  "devices=",
  "devices=0",
  "devices=-1",
  "devices=1e3",
  "toString=5",
  "disks=5",
  "a=b=1",
])
  test(`${JSON.stringify(entry)} is not a limit, and the error has the names`, () => {
    assert.throws(() => parseLauncherLimits([entry]), {
      code: "E_USAGE",
      message: /The names are domains, packetBytes, /,
    });
  });

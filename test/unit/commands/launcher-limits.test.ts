import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { LAUNCHER_BUDGET } from "../../../src/budget.ts";
import { parseLauncherLimits } from "../../../src/commands/launcher-limits.ts";

interface ValuesSchema {
  readonly properties: {
    readonly agent: {
      readonly properties: {
        readonly launcherLimits: { readonly propertyNames: { readonly enum: readonly string[] } };
      };
    };
  };
}

test("the chart knows the names of the limits", () => {
  const schema = readFileSync(
    new URL("../../../charts/kubevirt-telemetry/values.schema.json", import.meta.url),
    "utf8",
  );
  const { agent } = (JSON.parse(schema) as ValuesSchema).properties;
  assert.deepEqual(agent.properties.launcherLimits.propertyNames.enum, Object.keys(LAUNCHER_BUDGET));
});

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

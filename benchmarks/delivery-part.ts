import { influxd2Path } from "../scripts/provision/cache.ts";
import { deliveryReport } from "./delivery-report.ts";
import { measureDrains } from "./drains.ts";
import { measureFanOut, measureLags } from "./fan-out.ts";
import { measureLosses } from "./losses.ts";
import { circumstancesOf } from "./machine.ts";

const PROGRAMS = { "InfluxDB 1": ["influxd", "version"], "InfluxDB 2": [influxd2Path(), "version"] };

/** Measures spool and delivery. Takes about seven minutes. */
export async function measure(): Promise<string> {
  const now = circumstancesOf(PROGRAMS);
  console.log("# CPU by the number of targets");
  const fanOut = await measureFanOut();
  console.log("# a target beside one that hangs");
  const lags = await measureLags();
  console.log("# backlogs");
  const drains = await measureDrains();
  console.log("# lost lines");
  const losses = await measureLosses();
  return deliveryReport({ ...now(), fanOut, lags, drains, losses });
}

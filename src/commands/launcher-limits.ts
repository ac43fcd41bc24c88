import { LAUNCHER_BUDGET, type LauncherBudget } from "../budget.ts";
import { TelemetryError } from "../errors.ts";
import { commaList } from "../lib/comma-list.ts";

const ENTRY = /^([A-Za-z]+)=([0-9]{1,9})$/;

/**
 * Returns the budget of a launcher with the limits of the entries, such as `devices=2000`. An entry may have several with
 * commas between, because an environment variable is one text.
 * @throws {TelemetryError} E_USAGE
 */
export function parseLauncherLimits(entries: readonly string[]): LauncherBudget {
  const limits = commaList(entries).map(readLimit);
  return { ...LAUNCHER_BUDGET, ...Object.fromEntries(limits) };
}

function readLimit(entry: string): readonly [name: string, limit: number] {
  const [, name = "", digits = ""] = ENTRY.exec(entry) ?? [];
  const limit = Number(digits);
  if (Object.hasOwn(LAUNCHER_BUDGET, name) && limit > 0) return [name, limit];
  const names = Object.keys(LAUNCHER_BUDGET).join(", ");
  throw new TelemetryError(
    "E_USAGE",
    `--launcher-limit must be NAME=NUMBER, such as devices=2000; it is ${JSON.stringify(entry)}. The names are ${names}`,
  );
}

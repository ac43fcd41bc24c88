import { FAULTS } from "../../support/fault-deck.ts";
import type { ChaosReport, TargetReport } from "./chaos.ts";

/** The result as Markdown tables. */
export function describeChaos({ seed, seconds, kills, overlaps, written, targets }: ChaosReport): string {
  const row = (what: string, of: (target: TargetReport) => number): string =>
    `| ${[what, ...targets.map((target) => of(target).toLocaleString("en"))].join(" | ")} |`;
  const event = (what: string, key: Parameters<TargetReport["events"]["get"]>[0]): string =>
    row(what, ({ events }) => events.get(key) ?? 0);
  return [
    `Seed ${seed}: ${seconds} s of faults, the agent killed ${kills} times, ${overlaps} of them with the next beside it;`,
    "one more target was always down.",
    "",
    `| lines | ${targets.map(({ name }) => name).join(" | ")} |`,
    `| --- | ${targets.map(() => "--:").join(" | ")} |`,
    row("written to the spool", () => written.lines.length),
    row("stored, each once and with its values", ({ stored }) => stored),
    row("rejected: bad lines, all on record", ({ rejected }) => rejected),
    row("good lines rejected with bad ones", ({ givenUp }) => givenUp.length),
    row("dropped by a cap, or damaged (frames)", () => written.missingFrames),
    row("**lost**", ({ lost }) => lost.length),
    row("stored with other values", ({ different }) => different.length),
    row("stored but not written to the spool", ({ unwritten }) => unwritten.length),
    row("queued when the faults ended", ({ waiting }) => waiting),
    "",
    `| requests | ${targets.map(({ name }) => name).join(" | ")} |`,
    `| --- | ${targets.map(() => "--:").join(" | ")} |`,
    event("stored whole", "taken"),
    ...Object.entries(FAULTS).map(([kind, what]) => event(what, kind as keyof typeof FAULTS)),
    event("413: the body is larger than the proxy lets through", "413"),
    event("400, the other lines are stored", "400 partial"),
    event("400, nothing is stored", "400 whole"),
    event("422, the other lines are stored", "422"),
    event("sent before Retry-After allowed it", "early"),
  ].join("\n");
}

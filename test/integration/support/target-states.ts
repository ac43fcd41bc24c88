import type { RunningAgent } from "./agent.ts";
import { until } from "./process.ts";

/** What an agent says about its targets. */
export class TargetStates {
  readonly #agent: RunningAgent;
  readonly #url: string;
  #metrics = "";

  private constructor(agent: RunningAgent, url: string) {
    this.#agent = agent;
    this.#url = url;
  }

  static async of(agent: RunningAgent): Promise<TargetStates> {
    return new TargetStates(agent, `http://${await agent.address()}/metrics`);
  }

  /** Reads the metrics until the condition holds. */
  async until(what: string, holds: (seen: TargetStates) => boolean): Promise<void> {
    await until(async () => {
      this.#metrics = await (await fetch(this.#url)).text();
      return holds(this) || undefined;
    }, what);
  }

  get frames(): number {
    return this.#value("spool_frames");
  }

  readonly state = (target: string): string | undefined =>
    ["Idle", "Delivering", "Failing"].find(
      (state) => this.#value(`target_state{target="${target}",state="${state}"}`) === 1,
    );

  readonly stored = (target: string): number => this.#value(`target_sent_lines_total{target="${target}"}`);
  readonly queued = (target: string): number => this.#value(`target_queue_lines{target="${target}"}`);
  readonly rejected = (target: string): number => this.#value(`target_rejected_lines_total{target="${target}"}`);

  /** Returns the number of dropped lines, for all reasons. */
  readonly dropped = (target: string): number =>
    this.#metrics
      .split("\n")
      .filter((row) => row.startsWith(`kubevirt_telemetry_target_dropped_lines_total{target="${target}"`))
      .reduce((sum, row) => sum + Number(row.split(" ").at(-1)), 0);

  /** Returns the reasons of the failures in the log, in the order of time. */
  readonly reasons = (target: string): readonly unknown[] =>
    this.#agent.log
      .filter((entry) => entry["target"] === target && entry.msg.startsWith("delivery failing"))
      .map(({ reason }) => reason);

  #value(name: string): number {
    const row = this.#metrics.split("\n").find((row) => row.startsWith(`kubevirt_telemetry_${name} `));
    return Number(row?.split(" ").at(-1) ?? NaN);
  }
}

import type { DomainOverview } from "../../src/collection/domain-overview.ts";
import { sample } from "./samples.ts";

/** A running domain as people see it, with the load given. */
export function overview(
  label: string,
  { stuck = false, load, ...change }: Partial<Omit<DomainOverview, "label">> = {},
): DomainOverview {
  return { label, stuck, load, sample: change.sample ?? sample() };
}

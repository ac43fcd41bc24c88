import type { DomainOverview } from "../../src/collection/domain-overview.ts";
import { sample } from "./samples.ts";

/** Returns the overview of a running domain with the given load. */
export function overview(
  label: string,
  { stuck = false, load, details, ...change }: Partial<Omit<DomainOverview, "label">> = {},
): DomainOverview {
  return { label, stuck, load, details, sample: change.sample ?? sample() };
}

import type { DomainSample } from "./domain-sample.ts";
import { GUEST_MEMORY } from "./libvirt/guest-memory.ts";
import { reading } from "./stats-needs.ts";

/** Returns the memory that the guest uses, in KiB, and its part of what the guest sees. Undefined if the guest has not reported. */
export function usedMemory(
  sample: DomainSample,
): { readonly kib: bigint; readonly percent: number | undefined } | undefined {
  const guest = reading(sample, GUEST_MEMORY);
  const { available, usable = guest?.unused } = sample.memory;
  if (guest?.isReported !== true || available === undefined || usable === undefined) return undefined;
  // More usable than available: the two numbers are not of the same moment.
  if (usable > available) return undefined;
  const kib = available - usable;
  return { kib, percent: available === 0n ? undefined : (Number(kib) / Number(available)) * 100 };
}

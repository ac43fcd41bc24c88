import type { SpoolStats } from "../spool/spool.ts";
import type { EndpointQuota } from "./endpoint-quota.ts";

/** The bytes of lines since the last flush, before compression: of one launcher, and of all endpoints. */
export interface Written {
  readonly launchers: ReadonlyMap<EndpointQuota, number>;
  readonly bytes: number;
}

/**
 * Divides the spool among launchers. Each has an equal part of it. What launchers have beyond their parts may fill a quarter
 * of the spool, or half of what others have not used of theirs, if that is more. Above that, a launcher with more than its
 * part adds no lines until it has less. docs/adr/0016-spool-shares.md says why.
 *
 * A frame has the lines of many launchers, so the shares are estimates. Each launcher is charged with its lines, as if all
 * lines compressed equally well. When bytes leave the spool, those of no launcher leave first, such as those of an earlier
 * process; then those of all launchers, in proportion.
 */
export class SpoolShares {
  maxBytes = Infinity;
  #appendedBytes = 0;

  /** Charges launchers with lines that are in the spool now. `quotas` are all launchers. */
  update(
    quotas: readonly EndpointQuota[],
    written: Written,
    { bytes, appendedBytes }: Pick<SpoolStats, "bytes" | "appendedBytes">,
  ): void {
    const ratio = written.bytes === 0 ? 0 : (appendedBytes - this.#appendedBytes) / written.bytes;
    this.#appendedBytes = appendedBytes;
    for (const [quota, raw] of written.launchers) quota.spooledBytes += raw * ratio;
    const charged = sumOf(quotas, ({ spooledBytes }) => spooledBytes);
    if (charged > bytes) for (const quota of quotas) quota.spooledBytes *= bytes / charged;
    const leftBytes = Math.max(0, this.maxBytes - (bytes - Math.min(charged, bytes)));
    const part = leftBytes / quotas.length;
    const unused = sumOf(quotas, ({ spooledBytes }) => Math.max(0, part - spooledBytes));
    const excess = sumOf(quotas, ({ spooledBytes }) => Math.max(0, spooledBytes - part));
    const isOver = excess > Math.max(leftBytes / 4, unused / 2);
    for (const quota of quotas) quota.hasSpoolShare = !isOver || quota.spooledBytes <= part;
  }
}

function sumOf(quotas: readonly EndpointQuota[], value: (quota: EndpointQuota) => number): number {
  return quotas.reduce((sum, quota) => sum + value(quota), 0);
}

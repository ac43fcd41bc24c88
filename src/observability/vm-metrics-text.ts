import type { LatestVm } from "../collection/latest-samples.ts";
import { formatHeader } from "./metric.ts";
import { VM_METRICS } from "./vm-metrics.ts";
import { bytesOf, seriesOf, withPart, type VmSeries } from "./vm-series.ts";

/** A node of 2,048 VMs with 2 interfaces, 3 disks and vCPUs has 12 MiB. */
const MAX_BYTES = 32 << 20;
/** How much a step may make: some milliseconds of work. A VM and each of its devices and vCPUs is a part. */
const STEP = { parts: 256, calls: 1_024, characters: 64 << 10 };

/**
 * Makes the values of VMs in Prometheus' text format, in pieces: the caller may let other work run between two. Of VMs with the
 * same labels only the first one is written. If the text would be longer than `maxBytes`, the VMs with the longest texts lose
 * devices, so that one VM cannot displace others.
 */
export function* vmMetricsText(
  latest: readonly LatestVm[],
  node: string | undefined,
  maxBytes = MAX_BYTES,
): Generator<string> {
  const byLabels = new Map<string, VmSeries>();
  let parts = 0;
  for (const vm of latest) {
    const series = seriesOf(vm, node);
    if (!byLabels.has(series.labels)) byLabels.set(series.labels, series);
    parts += 1 + series.nics.length + series.disks.length + series.diskDetails.length + series.vcpus.length;
    if (parts < STEP.parts) continue;
    parts = 0;
    yield "";
  }
  const all = [...byLabels.values()];
  const share = largestShare(all.map(bytesOf), maxBytes);
  const vms = all.map((vm) => withPart(vm, share / bytesOf(vm)));
  yield "";
  let text = "";
  let calls = 0;
  for (const metric of VM_METRICS) {
    let header = formatHeader(metric);
    for (const vm of vms) {
      const lines = metric.lines(vm);
      if (lines !== "") {
        text += header + lines;
        header = "";
      }
      if (++calls % STEP.calls !== 0 && text.length < STEP.characters) continue;
      yield text;
      text = "";
    }
  }
  yield text;
}

/** Returns what each may have at most, so that all together have no more than `total`; infinite if all have what they need. */
function largestShare(needs: readonly number[], total: number): number {
  let left = total;
  for (const [index, need] of needs.toSorted((one, other) => one - other).entries()) {
    const share = left / (needs.length - index);
    if (need > share) return share;
    left -= need;
  }
  return Number.POSITIVE_INFINITY;
}

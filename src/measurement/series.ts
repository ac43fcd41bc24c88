import type { PartTags } from "./measurement.ts";

/** A measurement of one VM or one of its parts, with its tags. An encoder keeps it while the VM writes the same lines. */
export interface Series {
  readonly measurement: object;
  readonly part: PartTags | undefined;
  /** The begin of its lines: measurement and tags, escaped. */
  readonly text: string;
  /** Where a quota has counted this series; it need not look it up again. */
  countedIn: object | undefined;
}

/** Decides which lines of an endpoint are written. */
export interface LineQuota {
  /** Returns whether a line of this series may be written, and counts it. */
  admits(series: Series): boolean;
  /** Counts bytes of admitted lines, before compression. */
  addBytes(bytes: number): void;
}

/** Returns whether a series is that of this part of the VM. It runs for every line: a loop over the tags is too slow. */
export function isSeriesOf({ measurement, part: known }: Series, wanted: object, part: PartTags | undefined): boolean {
  if (measurement !== wanted) return false;
  if (known === undefined || part === undefined) return known === part;
  return (
    known.device === part.device &&
    known.devtype === part.devtype &&
    known.network === part.network &&
    known.volume === part.volume &&
    known.pvc === part.pvc &&
    known.vcpu === part.vcpu &&
    known.group === part.group &&
    known.index === part.index &&
    known.event === part.event &&
    known.operation === part.operation
  );
}

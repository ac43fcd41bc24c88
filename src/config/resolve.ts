import type { Family, Freshness, RawGroup } from "../contract.ts";
import { TelemetryError } from "../errors.ts";
import { parseDuration } from "../lib/duration.ts";
import { DEFAULT_SCHEDULES, defaultTimeoutMs } from "./defaults.ts";
import type { TargetSpec, TelemetryConfig } from "./schema.ts";
import { Secret } from "./secret.ts";
import type { VmFilter } from "./selectors.ts";
import type { TargetAccess, TargetAccessReader } from "./target-access.ts";
import { tagOf, type TagSource } from "./tag-names.ts";

/** A configuration in the agent's units, with defaults and secrets filled in. */
export interface EffectiveConfig {
  readonly state: "Active" | "Suspended";
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly families: readonly Family[];
  /** Of the families, those that are collected once in a number of cycles. If not given, each cycle collects all. */
  readonly schedules?: readonly { readonly families: readonly Family[]; readonly cycles: number }[];
  /** Groups of libvirt's statistics for the family Raw. Not given without it. */
  readonly rawGroups?: readonly RawGroup[];
  readonly onMissing: "Zero" | "Omit";
  readonly freshness: Freshness;
  readonly maxConcurrentEndpoints: number;
  readonly deviceCacheTtlMs: number;
  /** VMIs to collect. */
  readonly vms: VmFilter;
  readonly staticTags: Readonly<Record<string, string>>;
  /** Labels and annotations of a VMI that become tags of its lines. */
  readonly vmLabels: readonly Required<TagSource>[];
  readonly vmAnnotations: readonly Required<TagSource>[];
  readonly measurementPrefix: string;
  readonly buffer: { readonly maxBytes: number; readonly maxAgeMs: number };
  readonly targets: readonly EffectiveTarget[];
}

export interface EffectiveTarget extends TargetAccess {
  readonly name: string;
  readonly url: string;
  readonly protocol:
    | { readonly version: "v1"; readonly database: string; readonly retentionPolicy?: string }
    | { readonly version: "v2"; readonly org: string; readonly bucket: string }
    | { readonly version: "v3"; readonly database: string; readonly api: "Native" | "V2Compatible" };
  readonly flush: { readonly intervalMs: number; readonly maxLines: number; readonly maxBytes: number };
  readonly timeoutMs: number;
  /** Whether bodies are compressed. */
  readonly gzip: boolean;
  readonly maxDrainLinesPerSecond: number;
  /** The collected families that this target receives. */
  readonly families: readonly Family[];
  /** The collected VMIs whose lines this target receives. */
  readonly vms: VmFilter;
}

/** Returns the effective configuration of a checked one. A target whose Secret cannot be read has a `fault`. */
export async function resolveConfig({ spec }: TelemetryConfig, reader: TargetAccessReader): Promise<EffectiveConfig> {
  const { collection, deviceCache, tags, buffer } = spec;
  const intervalMs = milliseconds(collection.interval);
  const accesses = await reader.read(spec.targets);
  return {
    state: spec.state,
    intervalMs,
    timeoutMs: collection.timeout === undefined ? defaultTimeoutMs(intervalMs) : milliseconds(collection.timeout),
    families: collection.families,
    ...resolveSchedules(collection, intervalMs),
    ...(collection.raw !== undefined && collection.families.includes("Raw") && { rawGroups: collection.raw.groups }),
    onMissing: collection.onMissing,
    freshness: collection.freshness,
    maxConcurrentEndpoints: collection.maxConcurrentEndpoints,
    // The default is shorter than the longest intervals, and a shorter time than one cycle has no effect.
    deviceCacheTtlMs: Math.max(milliseconds(deviceCache.ttl), intervalMs),
    vms: vmsOf(spec),
    staticTags: tags.static,
    vmLabels: tags.vmLabels.map(named),
    vmAnnotations: tags.vmAnnotations.map(named),
    measurementPrefix: spec.measurementPrefix,
    buffer: { maxBytes: buffer.maxMiB * 1024 * 1024, maxAgeMs: milliseconds(buffer.maxAge) },
    targets: accesses.flatMap((access, index) => {
      const target = spec.targets[index];
      return target === undefined ? [] : resolveTarget(target, collection.families, access);
    }),
  };
}

/** The rules have checked that a given interval is a multiple of `intervalMs`; a default one becomes the next multiple. */
function resolveSchedules(
  { families, schedules = DEFAULT_SCHEDULES }: ScheduledFamilies,
  intervalMs: number,
): Pick<EffectiveConfig, "schedules"> {
  const resolved = schedules
    .map((schedule) => ({
      families: families.filter((family) => schedule.families.includes(family)),
      cycles: Math.ceil(milliseconds(schedule.interval) / intervalMs),
    }))
    .filter((schedule) => schedule.families.length > 0 && schedule.cycles > 1);
  return resolved.length === 0 ? {} : { schedules: resolved };
}

interface ScheduledFamilies {
  readonly families: readonly Family[];
  readonly schedules?: typeof DEFAULT_SCHEDULES;
}

/** Returns why a Secret of the configuration cannot be used; undefined if each target has what it needs. */
export function accessError({ targets }: EffectiveConfig): TelemetryError | undefined {
  const fault = targets.find((target) => target.fault !== undefined)?.fault;
  return fault && new TelemetryError(fault.code, fault.message);
}

function resolveTarget(target: TargetSpec, collected: readonly Family[], access: TargetAccess): EffectiveTarget {
  const { name, url, flush, families = collected } = target;
  return {
    name,
    url,
    protocol: protocolOf(target),
    ...access,
    flush: { intervalMs: milliseconds(flush.interval), maxLines: flush.maxLines, maxBytes: flush.maxKiB * 1024 },
    timeoutMs: milliseconds(target.timeout),
    gzip: target.gzip,
    maxDrainLinesPerSecond: target.maxDrainLinesPerSecond,
    families: collected.filter((family) => families.includes(family)),
    vms: vmsOf(target),
  };
}

function vmsOf({ namespaces = {}, vmSelector = {} }: Partial<VmFilter>): VmFilter {
  return { namespaces, vmSelector };
}

function named(source: TagSource): Required<TagSource> {
  return { key: source.key, tag: tagOf(source) };
}

function protocolOf({ v1, v2, v3 }: TargetSpec): EffectiveTarget["protocol"] {
  if (v1 !== undefined) {
    const { database, retentionPolicy } = v1;
    return { version: "v1", database, ...(retentionPolicy !== undefined && { retentionPolicy }) };
  }
  if (v2 !== undefined) return { version: "v2", org: v2.org, bucket: v2.bucket };
  if (v3 !== undefined) return { version: "v3", database: v3.database, api: v3.api };
  throw new Error("a target without a protocol passed the check");
}

function milliseconds(duration: string): number {
  const ms = parseDuration(duration);
  if (ms === undefined) throw new Error("a malformed duration passed the check");
  return ms;
}

/**
 * Returns a text that is equal for configurations, or for targets, that do the same. It contains their secrets, so keep it in
 * memory only.
 */
export function fingerprint(config: EffectiveConfig | EffectiveTarget): string {
  return JSON.stringify(config, function (this: Record<string, unknown>, key, value: unknown) {
    // `value` is already the result of toJSON, which hides secrets.
    const original = this[key];
    // A fault changes nothing as long as the values of an earlier read are used.
    if (key === "fault" && (this as Partial<TargetAccess>).credentials?.kind !== "missing") return undefined;
    return original instanceof Secret ? original.reveal() : value;
  });
}

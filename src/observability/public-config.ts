import { stringify } from "yaml";
import type { EffectiveConfig, EffectiveTarget } from "../config/resolve.ts";
import { formatDuration } from "../lib/duration.ts";

/**
 * Returns a configuration as YAML, without secrets. Only the fields named here are shown, so a new field or secret is hidden
 * by default.
 */
export function publicConfig(config: EffectiveConfig): string {
  return stringify(
    {
      state: config.state,
      collection: {
        interval: formatDuration(config.intervalMs),
        timeout: formatDuration(config.timeoutMs),
        families: config.families,
        schedules: config.schedules?.map(({ families, cycles }) => ({
          families,
          interval: formatDuration(cycles * config.intervalMs),
        })),
        raw: config.rawGroups && { groups: config.rawGroups },
        onMissing: config.onMissing,
        freshness: config.freshness,
        maxConcurrentEndpoints: config.maxConcurrentEndpoints,
      },
      deviceCache: { ttl: formatDuration(config.deviceCacheTtlMs) },
      ...config.vms,
      tags: { static: config.staticTags, vmLabels: config.vmLabels, vmAnnotations: config.vmAnnotations },
      measurementPrefix: config.measurementPrefix,
      buffer: { maxMiB: config.buffer.maxBytes / 2 ** 20, maxAge: formatDuration(config.buffer.maxAgeMs) },
      targets: config.targets.map(publicTarget),
    },
    { aliasDuplicateObjects: false, lineWidth: 0 },
  );
}

function publicTarget(target: EffectiveTarget): object {
  const { version, ...address } = target.protocol;
  const { mode, ca, cert, serverName } = target.tls;
  return {
    name: target.name,
    url: target.url,
    [version]: address,
    credentials: target.credentials.kind,
    tls: { mode, ownCa: ca !== undefined, clientCertificate: cert !== undefined, serverName },
    headers: target.headers.map(({ name }) => name),
    flush: {
      interval: formatDuration(target.flush.intervalMs),
      maxLines: target.flush.maxLines,
      maxKiB: target.flush.maxBytes / 1024,
    },
    timeout: formatDuration(target.timeoutMs),
    gzip: target.gzip,
    maxDrainLinesPerSecond: target.maxDrainLinesPerSecond,
    families: target.families,
    ...target.vms,
  };
}

import type { Family } from "../contract.ts";
import { TelemetryError } from "../errors.ts";
import { parseDuration } from "../lib/duration.ts";
import { defaultTimeoutMs } from "./defaults.ts";
import type { TargetSpec, TelemetryConfig } from "./schema.ts";
import { Secret } from "./secret.ts";
import type { SecretSource } from "./secrets-dir.ts";
import type { VmFilter } from "./selectors.ts";
import { tagOf, type TagSource } from "./tag-names.ts";

/** A configuration in the agent's units, with defaults and secrets filled in. */
export interface EffectiveConfig {
  readonly state: "Active" | "Suspended";
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly families: readonly Family[];
  readonly onMissing: "Zero" | "Omit";
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

export interface EffectiveTarget {
  readonly name: string;
  readonly url: string;
  readonly protocol:
    | { readonly version: "v1"; readonly database: string; readonly retentionPolicy?: string }
    | { readonly version: "v2"; readonly org: string; readonly bucket: string }
    | { readonly version: "v3"; readonly database: string; readonly api: "Native" | "V2Compatible" };
  readonly credentials:
    | { readonly kind: "none" }
    | { readonly kind: "token"; readonly token: Secret }
    | { readonly kind: "basic"; readonly username: string; readonly password: Secret };
  readonly tls: {
    readonly mode: "Verify" | "Plaintext" | "Insecure";
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: Secret;
    readonly serverName?: string;
  };
  readonly flush: { readonly intervalMs: number; readonly maxLines: number; readonly maxBytes: number };
  readonly timeoutMs: number;
  readonly maxDrainLinesPerSecond: number;
  /** The collected families that this target receives. */
  readonly families: readonly Family[];
  /** The collected VMIs whose lines this target receives. */
  readonly vms: VmFilter;
}

/**
 * Returns the effective configuration of a checked one.
 * @throws {TelemetryError} E_SECRET_NOT_FOUND
 */
export async function resolveConfig({ spec }: TelemetryConfig, secrets: SecretSource): Promise<EffectiveConfig> {
  const { collection, deviceCache, tags, buffer } = spec;
  const intervalMs = milliseconds(collection.interval);
  return {
    state: spec.state,
    intervalMs,
    timeoutMs: collection.timeout === undefined ? defaultTimeoutMs(intervalMs) : milliseconds(collection.timeout),
    families: collection.families,
    onMissing: collection.onMissing,
    maxConcurrentEndpoints: collection.maxConcurrentEndpoints,
    deviceCacheTtlMs: milliseconds(deviceCache.ttl),
    vms: vmsOf(spec),
    staticTags: tags.static,
    vmLabels: tags.vmLabels.map(named),
    vmAnnotations: tags.vmAnnotations.map(named),
    measurementPrefix: spec.measurementPrefix,
    buffer: { maxBytes: buffer.maxMiB * 1024 * 1024, maxAgeMs: milliseconds(buffer.maxAge) },
    targets: await Promise.all(spec.targets.map((target) => resolveTarget(target, collection.families, secrets))),
  };
}

async function resolveTarget(
  target: TargetSpec,
  collected: readonly Family[],
  secrets: SecretSource,
): Promise<EffectiveTarget> {
  const { name, url, flush, families = collected } = target;
  return {
    name,
    url,
    protocol: protocolOf(target),
    credentials: await credentialsOf(target, secrets),
    tls: await tlsOf(target, secrets),
    flush: { intervalMs: milliseconds(flush.interval), maxLines: flush.maxLines, maxBytes: flush.maxKiB * 1024 },
    timeoutMs: milliseconds(target.timeout),
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

async function credentialsOf(
  { v1, v2, v3 }: TargetSpec,
  secrets: SecretSource,
): Promise<EffectiveTarget["credentials"]> {
  const basic = v1?.credentialsSecretRef;
  if (basic !== undefined) {
    const username = await secrets.read("Secret", basic.name, basic.usernameKey);
    return {
      kind: "basic",
      username,
      password: new Secret(await secrets.read("Secret", basic.name, basic.passwordKey)),
    };
  }
  const token = v2?.tokenSecretRef ?? v3?.tokenSecretRef;
  if (token === undefined) return { kind: "none" };
  const value = await secrets.read("Secret", token.name, token.key);
  // An empty token often comes from an unset variable. The server's answer would not say that it is empty.
  if (value === "")
    throw new TelemetryError("E_SECRET_NOT_FOUND", `the key \`${token.key}\` of the Secret \`${token.name}\` is empty`);
  return { kind: "token", token: new Secret(value) };
}

async function tlsOf({ tls }: TargetSpec, secrets: SecretSource): Promise<EffectiveTarget["tls"]> {
  const { mode, caRef, clientCertSecretRef: client, serverName } = tls;
  const { configMap, secret } = caRef ?? {};
  const ca =
    configMap !== undefined
      ? await secrets.read("ConfigMap", configMap.name, configMap.key)
      : secret !== undefined && (await secrets.read("Secret", secret.name, secret.key));
  return {
    mode,
    ...(ca !== false && { ca }),
    ...(client !== undefined && {
      cert: await secrets.read("Secret", client.name, "tls.crt"),
      key: new Secret(await secrets.read("Secret", client.name, "tls.key")),
    }),
    ...(serverName !== undefined && { serverName }),
  };
}

function milliseconds(duration: string): number {
  const ms = parseDuration(duration);
  if (ms === undefined) throw new Error("a malformed duration passed the check");
  return ms;
}

/** Returns a text that is equal for equal configurations. It contains their secrets, so keep it in memory only. */
export function fingerprint(config: EffectiveConfig): string {
  return JSON.stringify(config, function (this: Record<string, unknown>, key, value: unknown) {
    // `value` is already the result of toJSON, which hides secrets.
    const original = this[key];
    return original instanceof Secret ? original.reveal() : value;
  });
}

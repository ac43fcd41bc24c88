import type { EffectiveConfig } from "./resolve.ts";
import { Secret } from "./secret.ts";

/** Equal for equal configurations, secrets included; kept in memory only. */
export function fingerprint(config: EffectiveConfig): string {
  return JSON.stringify(config, function (this: Record<string, unknown>, key, value: unknown) {
    // `value` has gone through toJSON, which hides secrets.
    const original = this[key];
    return original instanceof Secret ? original.reveal() : value;
  });
}

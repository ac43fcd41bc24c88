import { API_VERSION } from "../config/schema.ts";
import { microTime } from "../kubernetes/kube-object.ts";
import type { Condition } from "../status/conditions.ts";

interface Regarding {
  readonly name: string;
  readonly uid: string;
}

/** Where Events on objects without a namespace belong. */
export const EVENTS = { group: "events.k8s.io", version: "v1", plural: "events", namespace: "default" };

/** Limits of the API server, in bytes; of a name it takes the first 58 and adds 5 of its own. */
const MAX_NAME = 200;
const MAX_NOTE = 1024;
const MAX_INSTANCE = 128;

/** A condition that is as it should be has no reason of its own to be told. */
const GOOD_NEWS: Readonly<Record<string, string>> = { Overridden: "NotOverridden" };

/** An Event that tells of a TelemetryConfig's condition. */
export function eventOf(config: Regarding, condition: Condition, instance: string, nowMs: number): object {
  const { type, status, reason, message } = condition;
  return {
    apiVersion: `${EVENTS.group}/${EVENTS.version}`,
    kind: "Event",
    metadata: { generateName: `${cut(config.name, MAX_NAME)}-`, namespace: EVENTS.namespace },
    eventTime: microTime(nowMs),
    type: status === "False" && type !== "Overridden" ? "Warning" : "Normal",
    reason: reason === "AsExpected" ? (GOOD_NEWS[type] ?? type) : reason,
    action: "Aggregate",
    note: cut(`${type} is ${status}: ${message}`, MAX_NOTE),
    regarding: { apiVersion: API_VERSION, kind: "TelemetryConfig", name: config.name, uid: config.uid },
    reportingController: "kubevirt-telemetry.io/controller",
    reportingInstance: cut(instance, MAX_INSTANCE),
  };
}

/** As much of the text, in whole characters, as fits into so many bytes of UTF-8. */
function cut(text: string, bytes: number): string {
  return text.slice(0, new TextEncoder().encodeInto(text, new Uint8Array(bytes)).read);
}

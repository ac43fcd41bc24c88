import { foreignText } from "../../lib/display-text.ts";
import type { DomainEventName } from "../../libvirt/protocol.ts";
import type { DomainEvent, TypedParameters } from "../../libvirt/types.ts";
import type { VmEvent } from "../vm-report.ts";

/** An event in words. */
export type EventWords = Pick<VmEvent, "kind" | "detail" | "device">;

type Describe = (event: DomainEvent) => EventWords | undefined;

/** Longest text of a daemon in a field, in characters. */
const MAX_CHARACTERS = 256;
const USER_ALIAS = "ua-";

/** virDomainEventType from 2, with the words for its details. The first two are about the definition of a domain, not about a run. */
const LIFECYCLE: Readonly<Record<number, readonly [type: string, details: readonly string[]]>> = {
  2: ["started", ["booted", "migrated", "restored", "from-snapshot", "wakeup"]],
  3: [
    "suspended",
    [
      ...["paused", "migrated", "io-error", "watchdog", "restored", "from-snapshot", "api-error"],
      ...["post-copy", "post-copy-failed"],
    ],
  ],
  4: ["resumed", ["unpaused", "migrated", "from-snapshot", "post-copy", "post-copy-failed"]],
  5: ["stopped", ["shutdown", "destroyed", "crashed", "migrated", "saved", "failed", "from-snapshot"]],
  6: ["shutdown", ["finished", "guest", "host"]],
  7: ["pm-suspended", ["memory", "disk"]],
  8: ["crashed", ["panicked", "crashloaded"]],
};
/** virDomainEventWatchdogAction. */
const WATCHDOG_ACTIONS = ["none", "pause", "reset", "poweroff", "shutdown", "debug", "inject-nmi"];
/** virDomainEventIOErrorAction. */
const IO_ERROR_ACTIONS = ["ignored", "paused", "reported"];
/** virDomainBlockJobType, and virConnectDomainEventBlockJobStatus without READY, which is not the end of a job. */
const BLOCK_JOBS = ["unknown", "pull", "copy", "commit", "active-commit", "backup"];
const BLOCK_JOB_ENDS = ["completed", "failed", "canceled"];
/** virConnectDomainEventAgentLifecycleState. */
const AGENT_STATES = ["unknown", "connected", "disconnected"];
/** virDomainMemoryFailureRecipientType and virDomainMemoryFailureActionType. */
const RECIPIENTS = ["hypervisor", "guest"];
const FAILURE_ACTIONS = ["ignore", "inject", "fatal", "reset"];
/** virDomainJobOperation. */
const OPERATIONS = [
  ...["unknown", "start", "save", "restore", "migration-in", "migration-out", "snapshot", "snapshot-revert"],
  ...["dump", "backup", "snapshot-delete"],
];

const DESCRIPTIONS: Readonly<Record<DomainEventName, Describe>> = {
  LIFECYCLE: ({ numbers: [type = 0, detail] }) => {
    const row = LIFECYCLE[type];
    return row && { kind: "lifecycle", detail: `${row[0]}-${word(row[1], detail)}` };
  },
  REBOOT: () => ({ kind: "reboot" }),
  WATCHDOG: ({ numbers: [action] }) => ({ kind: "watchdog", detail: word(WATCHDOG_ACTIONS, action) }),
  IO_ERROR_REASON: ({ numbers: [action], device, reason = "" }) => ({
    kind: "io-error",
    detail: [word(IO_ERROR_ACTIONS, action), ...(reason === "" ? [] : [printable(reason)])].join("-"),
    ...named(device),
  }),
  BALLOON_CHANGE: ({ numbers: [kib] }) => ({ kind: "balloon", detail: `${kib} KiB` }),
  DEVICE_REMOVED: ({ device }) => ({ kind: "device-removed", ...named(device) }),
  DEVICE_ADDED: ({ device }) => ({ kind: "device-added", ...named(device) }),
  BLOCK_JOB_2: ({ numbers: [type, status = -1], device }) => {
    const end = BLOCK_JOB_ENDS[status];
    if (end === undefined) return undefined;
    return { kind: "job-completed", detail: `${word(BLOCK_JOBS, type)}-${end}`, ...named(device) };
  },
  AGENT_LIFECYCLE: ({ numbers: [state] }) => ({ kind: "agent", detail: word(AGENT_STATES, state) }),
  // Each pass of a migration; the progress of a job is not an event.
  MIGRATION_ITERATION: () => undefined,
  JOB_COMPLETED: ({ params }) => params && { kind: "job-completed", detail: jobEnd(params) },
  BLOCK_THRESHOLD: ({ numbers: [threshold], device }) => ({
    kind: "block-threshold",
    detail: `${threshold} bytes`,
    ...named(device),
  }),
  MEMORY_FAILURE: ({ numbers: [recipient, action] }) => ({
    kind: "memory-failure",
    detail: `${word(RECIPIENTS, recipient)}-${word(FAILURE_ACTIONS, action)}`,
  }),
};

/** Returns an event in words, or undefined if it is not about a run of the domain, or not the end of a job. */
export function describeEvent(event: DomainEvent): EventWords | undefined {
  return DESCRIPTIONS[event.name](event);
}

/** Returns the word for a virDomainJobOperation. */
export function operationName(operation: unknown): string {
  return typeof operation === "number" ? word(OPERATIONS, operation) : "unknown";
}

function jobEnd(params: TypedParameters): string {
  return `${operationName(params.get("operation"))}-${params.get("success") === false ? "failed" : "completed"}`;
}

function word(words: readonly string[], value: number | undefined): string {
  return words[value ?? -1] ?? "unknown";
}

/** Returns a device without the prefix of user aliases: in KubeVirt the name of a volume or network. */
function named(alias: string | undefined): Pick<EventWords, "device"> {
  const device = printable(alias?.startsWith(USER_ALIAS) === true ? alias.slice(USER_ALIAS.length) : (alias ?? ""));
  return device === "" ? {} : { device };
}

function printable(text: string): string {
  return foreignText(text, MAX_CHARACTERS);
}

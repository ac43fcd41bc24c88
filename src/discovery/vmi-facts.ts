import { parseQuantity } from "../lib/kube-quantity.ts";

/** What a VMI says about its VM besides its names. A fact that it does not say is undefined. */
export interface VmiFacts {
  readonly instanceType: string | undefined;
  readonly preference: string | undefined;
  /** Name of the guest's system, from its agent. */
  readonly guestOs: string | undefined;
  readonly phase: string | undefined;
  readonly cpuRequestMilli: number | undefined;
  readonly cpuLimitMilli: number | undefined;
  readonly memoryRequestKib: number | undefined;
  readonly memoryLimitKib: number | undefined;
  /** Whether it can be migrated live; undefined until KubeVirt has decided it. */
  readonly isMigratable: boolean | undefined;
  /** Whether its launcher is older than KubeVirt. */
  readonly isLauncherOutdated: boolean;
  /** Whether the guest agent is connected. */
  readonly isAgentConnected: boolean;
  /** Network -> the first address of its interface. */
  readonly addresses: Readonly<Record<string, string>>;
}

/** Reads a value with a limit for its length; returns undefined if it is longer. */
type TextReader = (value: unknown, maxLength: number) => string | undefined;

const MAX = { NAME: 253, GUEST_OS: 128, PHASE: 32, NETWORK: 63, ADDRESS: 45 };
/** Interfaces and conditions that are read. KubeVirt's largest VM has some tens. */
const MAX_ITEMS = 64;
const INSTANCE_TYPES = ["kubevirt.io/instancetype-name", "kubevirt.io/cluster-instancetype-name"];
const PREFERENCES = ["kubevirt.io/preference-name", "kubevirt.io/cluster-preference-name"];
const OUTDATED = "kubevirt.io/outdatedLauncherImage";

/** Returns the facts of a VMI. `text` reads a value, within the memory that the VMI may have. */
export function readVmiFacts(object: unknown, text: TextReader): VmiFacts {
  const metadata = field(object, "metadata");
  const status = field(object, "status");
  const resources = field(field(field(object, "spec"), "domain"), "resources");
  const conditions = items(field(status, "conditions"));
  const firstOf = (keys: readonly string[]): string | undefined =>
    keys.map((key) => text(field(field(metadata, "annotations"), key), MAX.NAME)).find((value) => value !== undefined);
  const condition = (type: string): unknown =>
    field(
      conditions.find((one) => field(one, "type") === type),
      "status",
    );
  const amount = (kind: "requests" | "limits", resource: "cpu" | "memory", unit: number): number | undefined =>
    wholeUnits(parseQuantity(field(field(resources, kind), resource)), unit);
  const guest = field(status, "guestOSInfo");
  const migratable = condition("LiveMigratable");
  return {
    instanceType: firstOf(INSTANCE_TYPES),
    preference: firstOf(PREFERENCES),
    guestOs: text(field(guest, "prettyName"), MAX.GUEST_OS) ?? text(field(guest, "name"), MAX.GUEST_OS),
    phase: text(field(status, "phase"), MAX.PHASE),
    cpuRequestMilli: amount("requests", "cpu", 1e-3),
    cpuLimitMilli: amount("limits", "cpu", 1e-3),
    memoryRequestKib: amount("requests", "memory", 1024),
    memoryLimitKib: amount("limits", "memory", 1024),
    isMigratable: migratable === "True" ? true : migratable === "False" ? false : undefined,
    isLauncherOutdated: field(field(metadata, "labels"), OUTDATED) !== undefined,
    isAgentConnected: condition("AgentConnected") === "True",
    addresses: Object.fromEntries(
      items(field(status, "interfaces")).flatMap((one) => {
        const address = text(field(one, "ipAddress"), MAX.ADDRESS);
        const name = address === undefined ? undefined : text(field(one, "name"), MAX.NETWORK);
        return name === undefined || address === undefined ? [] : [[name, address] as const];
      }),
    ),
  };
}

/** Returns a number of units, rounded up as Kubernetes does; undefined for one that is too large to be meant. */
function wholeUnits(value: number | undefined, unit: number): number | undefined {
  const units = value === undefined ? Number.NaN : Math.ceil(Number((value / unit).toPrecision(12)));
  return Number.isSafeInteger(units) ? units : undefined;
}

function items(list: unknown): readonly unknown[] {
  return Array.isArray(list) ? (list as unknown[]).slice(0, MAX_ITEMS) : [];
}

function field(object: unknown, name: string): unknown {
  return typeof object === "object" && object !== null && Object.hasOwn(object, name)
    ? (object as Readonly<Record<string, unknown>>)[name]
    : undefined;
}

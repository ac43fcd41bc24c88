import { readVmiFacts, type VmiFacts } from "./vmi-facts.ts";

/** The fields of a VirtualMachineInstance (kubevirt.io/v1) that the agent keeps; a whole object can have 1.5 MB. */
export interface Vmi {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** `spec.domain.firmware.uuid` in lower case, the UUID that KubeVirt gives the domain; undefined if it is not set. */
  readonly firmwareUuid: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** Without values that are too long for a tag. */
  readonly annotations: Readonly<Record<string, string>>;
  /** `status.nodeName`: the node of the VMI. During a live migration it is the source until the target has taken over. */
  readonly nodeName: string | undefined;
  /**
   * UIDs of its launchers on this node, including ended ones: the keys of `status.activePods` whose value is this node, or
   * empty. KubeVirt writes the name of the node a moment after the pod.
   */
  readonly pods: readonly string[];
  /** When it began to run, in seconds since the epoch. */
  readonly startedS?: number;
  /** Volume -> the PersistentVolumeClaim of its data. */
  readonly claims?: Readonly<Record<string, string>>;
  /** Present if they were asked for. They are not kept over a restart. */
  readonly facts?: VmiFacts | undefined;
  /** `status.migrationState`: the live migration that runs, or the last one. */
  readonly migration?: VmiMigration;
}

/** A live migration. KubeVirt's times are whole seconds; here milliseconds since the epoch. */
export interface VmiMigration {
  readonly uid: string;
  readonly sourceNode: string;
  readonly targetNode: string;
  readonly startedMs: number;
  /** Undefined while it runs. */
  readonly endedMs?: number;
  readonly failed: boolean;
}

/** Limits of Kubernetes, in characters. */
const MAX = { NAMESPACE: 63, NAME: 253, UID: 64, KEY: 317, LABEL: 63 };
/** Longest value of a tag. Annotations such as kubectl's last-applied-configuration are much longer. */
const MAX_ANNOTATION = 256;
/** Volumes whose claim is read. KubeVirt's largest VM has 250. */
const MAX_VOLUMES = 512;
/** KubeVirt has ten phases, and a time has 20 characters. */
const MAX_TRANSITIONS = 32;
const MAX_TIME = 40;
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;
/** Launchers of one VMI on one node. Ended ones are listed until the VMI is deleted: one for each migration to this node. */
const MAX_PODS = 128;
/**
 * Memory for the pods, then the labels, the annotations, the claims and the facts of one VMI, in bytes; the last ones are left
 * out. A tenant chooses their number. 60 labels of usual length fit, and 2,000 VMIs need at most 32 MiB.
 */
const LISTS_BYTES = 15 << 10;
/** Memory for a pod, and for a label or an annotation, besides its text, measured with V8. */
const POD_BYTES = 24;
const ENTRY_BYTES = 128;
const NOT_LATIN_1 = /[\u0100-\uffff]/;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * Returns the fields of a VMI that an agent on this node keeps, or undefined if the object is not a VMI. `withFacts` adds its
 * facts.
 */
export function projectVmi(object: unknown, thisNode: string, withFacts = false): Vmi | undefined {
  const metadata = record(field(object, "metadata"));
  const status = record(field(object, "status"));
  const [namespace, name, uid] = [
    text(metadata["namespace"], MAX.NAMESPACE),
    text(metadata["name"], MAX.NAME),
    text(metadata["uid"], MAX.UID),
  ];
  if (namespace === undefined || name === undefined || uid === undefined) return undefined;
  const pods = readPods(status["activePods"], thisNode);
  const podsBytes = pods.reduce((sum, podUid) => sum + POD_BYTES + podUid.length, 0);
  const attributes = new AttributeReader(LISTS_BYTES - podsBytes);
  const spec = field(object, "spec");
  const startedS = readStart(status["phaseTransitionTimestamps"]);
  const lists = {
    labels: attributes.read(metadata["labels"], MAX.LABEL),
    annotations: attributes.read(metadata["annotations"], MAX_ANNOTATION),
  };
  const claims = attributes.read(claimsIn(field(spec, "volumes")), MAX.NAME);
  const migration = readMigration(status["migrationState"]);
  return {
    namespace,
    name,
    uid,
    firmwareUuid: readUuid(field(field(field(spec, "domain"), "firmware"), "uuid")),
    ...lists,
    nodeName: text(status["nodeName"], MAX.NAME),
    pods,
    ...(startedS !== undefined && { startedS }),
    ...(Object.keys(claims).length > 0 && { claims }),
    ...(withFacts && { facts: readVmiFacts(object, (value, maxLength) => attributes.readText(value, maxLength)) }),
    ...(migration !== undefined && { migration }),
  };
}

/** Returns an object of which `projectVmi` returns an equal VMI. */
export function vmiObject(vmi: Vmi): object {
  const { namespace, name, uid, firmwareUuid, labels, annotations, nodeName, pods, startedS, claims = {} } = vmi;
  const { migration } = vmi;
  const volumes = Object.entries(claims).map(([volume, claim]) => ({
    name: volume,
    persistentVolumeClaim: { claimName: claim },
  }));
  const running = startedS !== undefined && {
    phaseTransitionTimestamps: [
      { phase: "Running", phaseTransitionTimestamp: new Date(startedS * 1000).toISOString() },
    ],
  };
  return {
    metadata: { namespace, name, uid, labels, annotations },
    spec: { domain: { firmware: { uuid: firmwareUuid } }, ...(volumes.length > 0 && { volumes }) },
    status: {
      nodeName,
      activePods: Object.fromEntries(pods.map((podUid) => [podUid, ""])),
      ...running,
      ...(migration !== undefined && { migrationState: migrationState(migration) }),
    },
  };
}

/** Reads the labels, annotations and other texts of one object, together within a number of bytes. */
class AttributeReader {
  #leftBytes: number;

  constructor(bytes: number) {
    this.#leftBytes = bytes;
  }

  read(values: unknown, maxLength: number): Readonly<Record<string, string>> {
    return Object.fromEntries(
      Object.entries(record(values)).filter((entry): entry is [string, string] => {
        const [key, value] = entry;
        if (typeof value !== "string" || key.length > MAX.KEY || value.length > maxLength) return false;
        // Keys are ASCII.
        return this.#fits(key.length + bytesOf(value));
      }),
    );
  }

  /** Returns a text; undefined for another value, and for one that is too long or does not fit. */
  readText(value: unknown, maxLength: number): string | undefined {
    const found = text(value, maxLength);
    return found === undefined || found === "" || !this.#fits(bytesOf(found)) ? undefined : found;
  }

  #fits(bytes: number): boolean {
    const needed = ENTRY_BYTES + bytes;
    if (needed > this.#leftBytes) return false;
    this.#leftBytes -= needed;
    return true;
  }
}

/** One character outside Latin-1 makes each character of a text two bytes. */
function bytesOf(value: string): number {
  return value.length * (NOT_LATIN_1.test(value) ? 2 : 1);
}

function readPods(activePods: unknown, thisNode: string): readonly string[] {
  return (
    Object.entries(record(activePods))
      // KubeVirt writes an empty UID before the first pod exists.
      .filter(([podUid, node]) => podUid !== "" && podUid.length <= MAX.UID && (node === "" || node === thisNode))
      .slice(0, MAX_PODS)
      .map(([podUid]) => podUid)
  );
}

function readMigration(state: unknown): VmiMigration | undefined {
  const names = record(state);
  const [uid, sourceNode, targetNode] = [
    text(names["migrationUid"], MAX.UID),
    text(names["sourceNode"], MAX.NAME),
    text(names["targetNode"], MAX.NAME),
  ];
  const [startedMs, endedMs] = [readTime(names["startTimestamp"]), readTime(names["endTimestamp"])];
  if (uid === undefined || sourceNode === undefined || targetNode === undefined || startedMs === undefined)
    return undefined;
  const ended = endedMs !== undefined && { endedMs };
  return { uid, sourceNode, targetNode, startedMs, ...ended, failed: names["failed"] === true };
}

function migrationState({ uid, sourceNode, targetNode, startedMs, endedMs, failed }: VmiMigration): object {
  const ended = endedMs !== undefined && { endTimestamp: new Date(endedMs).toISOString() };
  const startTimestamp = new Date(startedMs).toISOString();
  return { migrationUid: uid, sourceNode, targetNode, startTimestamp, ...ended, failed };
}

/** Returns when the phase Running began, in seconds since the epoch; undefined if the VMI does not say it. */
function readStart(transitions: unknown): number | undefined {
  if (!Array.isArray(transitions)) return undefined;
  const running = (transitions as unknown[])
    .slice(0, MAX_TRANSITIONS)
    .find((transition) => field(transition, "phase") === "Running");
  const ms = readTime(field(running, "phaseTransitionTimestamp"));
  return ms === undefined ? undefined : Math.floor(ms / 1000);
}

/** Returns a time in milliseconds since the epoch; undefined for another value. */
function readTime(value: unknown): number | undefined {
  const time = text(value, MAX_TIME);
  const ms = time !== undefined && RFC_3339.test(time) ? Date.parse(time) : Number.NaN;
  return Number.isFinite(ms) && ms >= 0 ? ms : undefined;
}

/** Returns volume -> claim. The claim of a DataVolume has its name. */
function claimsIn(volumes: unknown): Readonly<Record<string, unknown>> {
  if (!Array.isArray(volumes)) return {};
  return Object.fromEntries(
    volumes.slice(0, MAX_VOLUMES).flatMap((volume: unknown) => {
      const name = text(field(volume, "name"), MAX.NAME);
      const claim =
        field(field(volume, "persistentVolumeClaim"), "claimName") ?? field(field(volume, "dataVolume"), "name");
      return name === undefined || claim === undefined || claim === "" ? [] : [[name, claim] as const];
    }),
  );
}

/** Returns a UUID in libvirt's form; undefined for any other value, which a user may have given. */
function readUuid(value: unknown): string | undefined {
  const uuid = typeof value === "string" && value.length === 36 ? value.toLowerCase() : "";
  return UUID.test(uuid) ? uuid : undefined;
}

function text(value: unknown, maxLength: number): string | undefined {
  return typeof value === "string" && value.length <= maxLength ? value : undefined;
}

function field(object: unknown, name: string): unknown {
  return record(object)[name];
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

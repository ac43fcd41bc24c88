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
}

/** Limits of Kubernetes, in characters. */
const MAX = { NAMESPACE: 63, NAME: 253, UID: 64, KEY: 317, LABEL: 63 };
/** Longest value of a tag. Annotations such as kubectl's last-applied-configuration are much longer. */
const MAX_ANNOTATION = 256;
/** Launchers of one VMI on one node. Ended ones are listed until the VMI is deleted: one for each migration to this node. */
const MAX_PODS = 128;
/**
 * Memory for the pods, then the labels and then the annotations of one VMI, in bytes; the last ones are left out. A tenant
 * chooses their number. 60 labels of usual length fit, and 2,000 VMIs need at most 32 MiB.
 */
const LISTS_BYTES = 15 << 10;
/** Memory for a pod, and for a label or an annotation, besides its text, measured with V8. */
const POD_BYTES = 24;
const ENTRY_BYTES = 128;
const NOT_LATIN_1 = /[\u0100-\uffff]/;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Returns the fields of a VMI that an agent on this node keeps, or undefined if the object is not a VMI. */
export function projectVmi(object: unknown, thisNode: string): Vmi | undefined {
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
  return {
    namespace,
    name,
    uid,
    firmwareUuid: readUuid(field(field(field(field(object, "spec"), "domain"), "firmware"), "uuid")),
    labels: attributes.read(metadata["labels"], MAX.LABEL),
    annotations: attributes.read(metadata["annotations"], MAX_ANNOTATION),
    nodeName: text(status["nodeName"], MAX.NAME),
    pods,
  };
}

/** Returns an object of which `projectVmi` returns an equal VMI. */
export function vmiObject(vmi: Vmi): object {
  const { namespace, name, uid, firmwareUuid, labels, annotations, nodeName, pods } = vmi;
  return {
    metadata: { namespace, name, uid, labels, annotations },
    spec: { domain: { firmware: { uuid: firmwareUuid } } },
    status: { nodeName, activePods: Object.fromEntries(pods.map((podUid) => [podUid, ""])) },
  };
}

/** Reads the labels and annotations of one object, together within a number of bytes. */
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
        // One character outside Latin-1 makes each character of its text two bytes. Keys are ASCII.
        const bytes = ENTRY_BYTES + key.length + value.length * (NOT_LATIN_1.test(value) ? 2 : 1);
        if (bytes > this.#leftBytes) return false;
        this.#leftBytes -= bytes;
        return true;
      }),
    );
  }
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

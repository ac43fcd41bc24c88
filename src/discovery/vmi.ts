/** The fields of a VirtualMachineInstance (kubevirt.io/v1) that the agent keeps; a whole object can have 100 KB. */
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
  /** `status.activePods`: UIDs of its launchers on any node, including ended ones. */
  readonly pods: readonly string[];
}

/** Longest value of a tag. Annotations such as kubectl's last-applied-configuration are much longer. */
const MAX_ANNOTATION = 256;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Returns the fields of a VMI, or undefined if the object is not a VMI. */
export function projectVmi(object: unknown): Vmi | undefined {
  const metadata = record(field(object, "metadata"));
  const status = record(field(object, "status"));
  const { namespace, name, uid } = metadata;
  if (typeof namespace !== "string" || typeof name !== "string" || typeof uid !== "string") return undefined;
  const annotations = Object.entries(strings(metadata["annotations"]));
  return {
    namespace,
    name,
    uid,
    firmwareUuid: readUuid(field(field(field(field(object, "spec"), "domain"), "firmware"), "uuid")),
    labels: strings(metadata["labels"]),
    annotations: Object.fromEntries(annotations.filter(([, value]) => value.length <= MAX_ANNOTATION)),
    nodeName: typeof status["nodeName"] === "string" ? status["nodeName"] : undefined,
    // KubeVirt writes an empty UID before the first pod exists.
    pods: Object.keys(record(status["activePods"])).filter((podUid) => podUid !== ""),
  };
}

/** Returns a UUID in libvirt's form; undefined for any other value, which a user may have given. */
function readUuid(value: unknown): string | undefined {
  const uuid = typeof value === "string" ? value.toLowerCase() : "";
  return UUID.test(uuid) ? uuid : undefined;
}

function field(object: unknown, name: string): unknown {
  return record(object)[name];
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function strings(value: unknown): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(record(value)).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}

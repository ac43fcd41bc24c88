/** What the agent keeps of a VirtualMachineInstance (kubevirt.io/v1); a whole one has some hundred kilobytes at times. */
export interface Vmi {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** `spec.domain.firmware.uuid`, the UUID that KubeVirt gives the domain, in small letters; undefined when it has none. */
  readonly firmwareUuid: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** Without values that could not be a tag. */
  readonly annotations: Readonly<Record<string, string>>;
  /** `status.nodeName`: where the VMI counts as running; in a live migration the source until the target has taken over. */
  readonly nodeName: string | undefined;
  /** UIDs of its virt-launcher pods on any node, `status.activePods`: all that it has ever had, ended ones too. */
  readonly pods: readonly string[];
}

/** As long as a tag's value may be; kubectl's last-applied-configuration is a thousand times longer. */
const MAX_ANNOTATION = 256;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Keeps of an object what is needed; undefined when it is not a VMI. */
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
    // KubeVirt writes an empty UID before the first pod is there.
    pods: Object.keys(record(status["activePods"])).filter((podUid) => podUid !== ""),
  };
}

/** Of libvirt's form; undefined for everything else, which a user may have written there. */
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

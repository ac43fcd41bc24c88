import { DOMAIN_EVENT, LIMIT, type DomainEventName } from "./protocol.ts";
import type { TypedParameterDecoder } from "./typed-parameters.ts";
import type { DomainEvent } from "./types.ts";
import { readDomain } from "./wire-types.ts";
import type { XdrReader } from "./xdr.ts";

type EventValues = Omit<DomainEvent, "name" | "domain">;
/** Reads what follows the domain in a message. */
type ValuesReader = (reader: XdrReader, parameters: TypedParameterDecoder) => EventValues;

const integers =
  (count: number): ValuesReader =>
  (reader) => ({ numbers: Array.from({ length: count }, () => reader.int()) });

const deviceAlias: ValuesReader = (reader) => ({ device: text(reader), numbers: [] });

/** The values of each event, with their meaning in libvirt-domain.h. */
const VALUES: Readonly<Record<DomainEventName, ValuesReader>> = {
  /** Type and detail: virDomainEventType and the enum of its details. */
  LIFECYCLE: integers(2),
  REBOOT: integers(0),
  /** virDomainEventWatchdogAction. */
  WATCHDOG: integers(1),
  /** The path of the image is not read. virDomainEventIOErrorAction. */
  IO_ERROR_REASON: (reader) => {
    reader.span(LIMIT.STRING);
    const device = text(reader);
    return { device, numbers: [reader.int()], reason: text(reader) };
  },
  /** KiB of memory that the guest has. */
  BALLOON_CHANGE: (reader) => ({ numbers: [Number(reader.uhyper())] }),
  DEVICE_REMOVED: deviceAlias,
  /** virDomainBlockJobType and virConnectDomainEventBlockJobStatus. */
  BLOCK_JOB_2: (reader) => ({ device: text(reader), numbers: [reader.int(), reader.int()] }),
  /** State and reason: virConnectDomainEventAgentLifecycleState and -Reason. */
  AGENT_LIFECYCLE: integers(2),
  DEVICE_ADDED: deviceAlias,
  /** The number of the pass over the memory, from 1. */
  MIGRATION_ITERATION: integers(1),
  JOB_COMPLETED: (reader, parameters) => ({ numbers: [], params: parameters.read(reader, LIMIT.JOB_PARAMETERS) }),
  /** The threshold, and by how much a request exceeded it, in bytes. */
  BLOCK_THRESHOLD: (reader) => {
    const device = text(reader);
    reader.optional(() => reader.span(LIMIT.STRING)); // the path of the image
    return { device, numbers: [Number(reader.uhyper()), Number(reader.uhyper())] };
  },
  /** virDomainMemoryFailureRecipientType, virDomainMemoryFailureActionType and virDomainMemoryFailureFlags. */
  MEMORY_FAILURE: integers(3),
};

const NAMES: ReadonlyMap<number, DomainEventName> = new Map(
  (Object.keys(DOMAIN_EVENT) as DomainEventName[]).map((name) => [DOMAIN_EVENT[name].procedure, name]),
);

/**
 * Returns the event in a message of a daemon, or undefined if this client does not know its procedure.
 * @throws {LibvirtError} E_LIBVIRT_PROTOCOL, or E_LIBVIRT_LIMIT for too many parameters
 */
export function readDomainEvent(
  procedure: number,
  reader: XdrReader,
  parameters: TypedParameterDecoder,
): DomainEvent | undefined {
  const name = NAMES.get(procedure);
  if (name === undefined) return undefined;
  reader.int(); // the callback id: there is one for each kind of event
  const domain = readDomain(reader);
  return { name, domain, ...VALUES[name](reader, parameters) };
}

function text(reader: XdrReader): string {
  return reader.string(LIMIT.EVENT_TEXT);
}

import { encodePacket } from "../libvirt/packet.ts";
import { DOMAIN_EVENT, MESSAGE_TYPE, PROGRAM, STATUS, type DomainEventName } from "../libvirt/protocol.ts";
import { writeTypedParameters } from "../libvirt/typed-parameters.ts";
import type { DomainEvent } from "../libvirt/types.ts";
import { writeDomain } from "../libvirt/wire-types.ts";
import type { XdrWriter } from "../libvirt/xdr.ts";

const PATH = "/var/lib/libvirt/images/disk.img";

type Write = (writer: XdrWriter, event: DomainEvent) => void;

const integers: Write = (writer, { numbers }) => {
  for (const number of numbers) writer.int(number);
};

const device: Write = (writer, event) => {
  writer.string(event.device ?? "");
};

/** What follows the domain in the message of each event. */
const VALUES: Readonly<Record<DomainEventName, Write>> = {
  LIFECYCLE: integers,
  REBOOT: integers,
  WATCHDOG: integers,
  IO_ERROR_REASON: (writer, event) => {
    writer.string(PATH);
    device(writer, event);
    integers(writer, event);
    writer.string(event.reason ?? "");
  },
  BALLOON_CHANGE: (writer, { numbers: [kib = 0] }) => writer.uhyper(BigInt(kib)),
  DEVICE_REMOVED: device,
  BLOCK_JOB_2: (writer, event) => {
    device(writer, event);
    integers(writer, event);
  },
  AGENT_LIFECYCLE: integers,
  DEVICE_ADDED: device,
  MIGRATION_ITERATION: integers,
  JOB_COMPLETED: (writer, { params = new Map() }) => {
    writeTypedParameters(writer, params);
  },
  BLOCK_THRESHOLD: (writer, event) => {
    device(writer, event);
    writer.optional(PATH, (path) => writer.string(path));
    for (const bytes of event.numbers) writer.uhyper(BigInt(bytes));
  },
  MEMORY_FAILURE: integers,
};

/** Returns the message of an event, as a daemon sends it. */
export function eventPacket(event: DomainEvent): Buffer {
  const { id, procedure } = DOMAIN_EVENT[event.name];
  const header = { program: PROGRAM.REMOTE, procedure, type: MESSAGE_TYPE.MESSAGE, serial: 0, status: STATUS.OK };
  return encodePacket(header, (writer) => {
    writer.int(id + 1); // the callback id of the registration
    writeDomain(writer, event.domain);
    VALUES[event.name](writer, event);
  });
}

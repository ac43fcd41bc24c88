import { overLimit, type LibvirtError } from "./errors.ts";
import { LIMIT, STATS_GROUP } from "./protocol.ts";

/** What a daemon may send. A connection to one that sends more ends with E_LIBVIRT_LIMIT. */
export interface PeerLimits {
  /** Bytes of one packet, with its length word. */
  readonly packetBytes: number;
  /** Domains of one reply. */
  readonly domains: number;
  /** Typed parameters of one reply, of all its domains together. */
  readonly parameters: number;
  /** Further typed parameters of a reply that has the statistics of vCPUs. */
  readonly vcpuParameters: number;
  /** Packets that answer no call, in a minute. */
  readonly unaskedPackets: number;
}

/** The limits of a daemon that is trusted: those of the protocol. More is E_LIBVIRT_PROTOCOL. */
export const PROTOCOL_LIMITS: PeerLimits = {
  packetBytes: LIMIT.PACKET_MAX,
  domains: LIMIT.DOMAINS,
  parameters: Number.POSITIVE_INFINITY,
  vcpuParameters: Number.POSITIVE_INFINITY,
  unaskedPackets: Number.POSITIVE_INFINITY,
};

/** Returns the limits of a reply with these groups of statistics, bits of STATS_GROUP. */
export function statsLimits(limits: PeerLimits, groups: number): PeerLimits {
  const { parameters, vcpuParameters } = limits;
  return (groups & STATS_GROUP.VCPU) === 0 ? limits : { ...limits, parameters: parameters + vcpuParameters };
}

const MINUTE_MS = 60_000;
/** An unasked packet counts once more for each of these bytes. Pings have 28 bytes, events some hundreds. */
const UNASKED_BYTES = 4_096;

/** Counts what a daemon sends without a call, in all its connections. */
export class UnaskedPackets {
  readonly #perMinute: number;
  readonly #now: () => number;
  #minuteEndsMs = Number.NEGATIVE_INFINITY;
  #count = 0;

  /** `now` is a monotonic clock in milliseconds. */
  constructor({ unaskedPackets }: PeerLimits, now: () => number = () => performance.now()) {
    this.#perMinute = unaskedPackets;
    this.#now = now;
  }

  /**
   * Counts a packet, or a small piece of one, because reading it costs as much. A large packet counts as several.
   * @throws {LibvirtError} E_LIBVIRT_LIMIT
   */
  record(bytes: number): void {
    const now = this.#now();
    if (now >= this.#minuteEndsMs) {
      this.#minuteEndsMs = now + MINUTE_MS;
      this.#count = 0;
    }
    this.#count += 1 + Math.floor(bytes / UNASKED_BYTES);
    if (this.#count > this.#perMinute) throw this.#fault();
  }

  #fault(): LibvirtError {
    const most = `more than ${this.#perMinute} in a minute`;
    return overLimit("UnaskedPackets", `libvirt sends packets that answer no call, or packets in tiny pieces: ${most}`);
  }
}

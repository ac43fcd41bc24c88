import type { DomainRef } from "./types.ts";
import { readDomain, writeDomain } from "./wire-types.ts";
import { XdrWriter, type XdrReader } from "./xdr.ts";

/** Positions that are known. A host has fewer domains, and a launcher one. */
const MAX_POSITIONS = 1_024;
/** Longest domain that is kept, in bytes on the wire. The names of KubeVirt's domains have at most 127 bytes. */
const MAX_BYTES = 512;

interface KnownDomain {
  readonly domain: DomainRef;
  /** As `writeDomain` writes it. */
  readonly bytes: Uint8Array;
}

/**
 * Reads and writes the domains of one kind of reply. They rarely change between two replies, so a domain is compared with the bytes
 * of the last one at its position, and decoded only if it differs. A call for it copies the same bytes.
 */
export class KnownDomains {
  readonly #byPosition: (KnownDomain | undefined)[] = [];
  readonly #bytes = new WeakMap<DomainRef, Uint8Array>();

  /** Reads the domain at this position of a reply, as `readDomain` does. Returns the same object until it changes. */
  read(reader: XdrReader, position: number): DomainRef {
    const known = this.#byPosition[position];
    if (known !== undefined && reader.skipIf(known.bytes)) return known.domain;
    const domain = readDomain(reader);
    if (position < MAX_POSITIONS) this.#byPosition[position] = this.#keep(domain);
    return domain;
  }

  /** Writes a domain, as `writeDomain` does. */
  write(writer: XdrWriter, domain: DomainRef): void {
    const bytes = this.#bytes.get(domain);
    if (bytes === undefined) writeDomain(writer, domain);
    else writer.fixedOpaque(bytes);
  }

  #keep(domain: DomainRef): KnownDomain | undefined {
    const writer = new XdrWriter();
    writeDomain(writer, domain);
    if (writer.length > MAX_BYTES) return undefined;
    const bytes = Uint8Array.from(writer.bytes());
    this.#bytes.set(domain, bytes);
    return { domain, bytes };
  }
}

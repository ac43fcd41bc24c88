import { LibvirtError } from "../../libvirt/errors.ts";
import type { Source, SourceCycle, SourceError, SourceStats } from "../source.ts";

/** A daemon that cannot be called: it was found, so the page, the metrics and the log must have it. Each cycle fails. */
export class FailedSource implements Source {
  readonly id: string;
  readonly stats: SourceStats = { versions: [], calls: 0, blockedCalls: 0 };
  readonly #fault: SourceError;

  constructor(id: string, fault: SourceError) {
    this.id = id;
    this.#fault = fault;
  }

  collect(): Promise<SourceCycle> {
    const nothing = { samples: [], stuck: [], busy: [], slow: [], tolerated: [] };
    return Promise.resolve({ ...nothing, endpoint: this.id, outcome: "failed", errors: [this.#fault] });
  }

  configure(): void {
    // There is nothing to collect.
  }

  close(): void {
    // There is no connection.
  }
}

/** Returns the fault of an endpoint that the agent may not read. `what` names it. */
export function deniedFault(what: string): SourceError {
  return new LibvirtError(
    "E_LIBVIRT_DENIED",
    `${what} cannot be read: check the agent's user, capabilities and SELinux`,
  );
}

import type { Steps } from "./decode-queue.ts";
import type { LibvirtError } from "./errors.ts";
import type { ProcedureName } from "./protocol.ts";
import type { XdrReader, XdrWriter } from "./xdr.ts";

export interface Call<Result> {
  readonly procedure: ProcedureName;
  /** UUID of the domain that the call is about. While a call for it is late, others for it are rejected. */
  readonly domain?: string;
  readonly write?: (writer: XdrWriter) => void;
  /**
   * Decodes the reply. The reader is valid only during this call, except for steps that are passed to `inTurns`: they
   * may go on in later turns of the event loop.
   */
  readonly read: (
    reader: XdrReader,
    inTurns: <Decoded>(steps: Steps<Decoded>) => Decoded | Promise<Decoded>,
  ) => Result | Promise<Result>;
  /** Milliseconds from now; Infinity for no deadline. */
  readonly deadlineMs: number;
}

/** A call without a reply. */
export interface PendingCall {
  readonly call: Call<unknown>;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: LibvirtError) => void;
  timer: NodeJS.Timeout | undefined;
  answered: boolean;
  /** The replies that had arrived on the connection before this call. */
  readonly repliesBefore: number;
}

import assert from "node:assert/strict";
import { LAUNCHER_BUDGET } from "../../src/budget.ts";
import { LibvirtError, type PeerLimit } from "../../src/libvirt/errors.ts";
import { limitedPeer, SharedLimits, type Peer } from "../../src/libvirt/peer.ts";

/** Returns the limits of a launcher, for clients of one. */
export function launcher(shared = new SharedLimits(32 << 20), now?: () => number): Peer {
  return limitedPeer(LAUNCHER_BUDGET, shared, now);
}

/** Returns a check for the error of a launcher that exceeds this limit. */
export function exceeds(limit: PeerLimit): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof LibvirtError, String(error));
    assert.deepEqual([error.code, error.limit], ["E_LIBVIRT_LIMIT", limit], error.message);
    return true;
  };
}

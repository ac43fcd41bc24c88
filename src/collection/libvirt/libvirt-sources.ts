import { RECEIVED_BYTES } from "../../budget.ts";
import type { Clock } from "../../lib/clock.ts";
import { SharedLimits } from "../../libvirt/peer.ts";
import type { SourceFactory } from "../source.ts";
import type { ConnectionLimit } from "./connection-limit.ts";
import type { Endpoint } from "./endpoint.ts";
import { FailedSource } from "./failed-source.ts";
import { LibvirtSource } from "./libvirt-source.ts";

/**
 * Returns a function that makes the factory of the source of an endpoint. The id of a source is the path of its socket. All
 * sources of these factories share the memory for received bytes, so a process makes its sources with one function.
 */
export function libvirtSources(clock: Clock, connections?: ConnectionLimit): (endpoint: Endpoint) => SourceFactory {
  const shared = new SharedLimits(RECEIVED_BYTES);
  return (endpoint) => ({
    id: endpoint.socket,
    create: (settings) =>
      endpoint.fault === undefined
        ? new LibvirtSource(endpoint, settings, clock, shared, connections)
        : new FailedSource(endpoint.socket, endpoint.fault),
  });
}

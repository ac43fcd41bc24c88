import { TelemetryError, messageOf } from "../errors.ts";
import { systemClock } from "../lib/clock.ts";
import { SimulatedHost } from "../simulator/simulated-host.ts";
import { SimulatorServer } from "../simulator/server.ts";
import { simulateEvents } from "../simulator/synthetic-events.ts";

interface SimulateArguments {
  readonly socket: string;
  readonly domains: number;
  readonly nics: number;
  readonly disks: number;
  readonly seed: number;
}

/** Serves synthetic domains until the signal aborts. Resolves to the exit code. */
export async function simulate(
  { socket, domains, nics, disks, seed }: SimulateArguments,
  signal: AbortSignal,
  print: (line: string) => void,
): Promise<number> {
  const host = SimulatedHost.of(domains, { nics, disks, seed });
  let server: SimulatorServer;
  try {
    server = await SimulatorServer.start(socket, host);
  } catch (error) {
    throw new TelemetryError("E_SIMULATOR", `cannot serve on ${socket}: ${messageOf(error)}`, { cause: error });
  }
  print(`${domains} domains with ${nics} NICs and ${disks} disks each on ${socket}; end with Ctrl-C`);
  await simulateEvents(host, systemClock, signal);
  await server[Symbol.asyncDispose]();
  return 0;
}

import { TelemetryError, messageOf } from "../errors.ts";
import { SimulatedHost } from "../simulator/simulated-host.ts";
import { SimulatorServer } from "../simulator/server.ts";

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
  let server: SimulatorServer;
  try {
    server = await SimulatorServer.start(socket, SimulatedHost.of(domains, { nics, disks, seed }));
  } catch (error) {
    throw new TelemetryError("E_SIMULATOR", `cannot serve on ${socket}: ${messageOf(error)}`, { cause: error });
  }
  print(`${domains} domains with ${nics} NICs and ${disks} disks each on ${socket}; end with Ctrl-C`);
  if (!signal.aborted)
    await new Promise((resolve) => {
      signal.addEventListener("abort", resolve, { once: true });
    });
  await server[Symbol.asyncDispose]();
  return 0;
}

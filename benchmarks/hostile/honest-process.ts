// Serves the libvirt sockets of the honest launchers, in a process of its own, until its parent ends it.
import { mkdir } from "node:fs/promises";
import { SimulatorServer } from "../../src/simulator/server.ts";
import { hostOf } from "./guests.ts";
import { honestVms, runtimeDirectory, socketOf } from "./plan.ts";

const [podsDir = ""] = process.argv.slice(2);
process.once("disconnect", () => process.exit());
for (const vm of honestVms()) {
  await mkdir(runtimeDirectory(podsDir, vm), { recursive: true });
  await SimulatorServer.start(socketOf(podsDir, vm), hostOf(vm));
}
process.send?.("ready");

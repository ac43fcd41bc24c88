import { spawn } from "node:child_process";
import path from "node:path";
import { end } from "../test/integration/support/process.ts";
import { Deliveries, type Contender } from "./contender.ts";

/** Starts a Python program that writes the same four measurements with Debian's libvirt module. */
const WAYS = {
  "per-device": "Python, a call per device",
  "bulk-all": "Python, one bulk call, all groups",
  "bulk-five": "Python, one bulk call, five groups",
} as const;

export async function startPython(socket: string, way: keyof typeof WAYS): Promise<Contender> {
  await using resources = new AsyncDisposableStack();
  const deliveries = resources.use(await Deliveries.start("vm_metrics"));
  const script = path.join(import.meta.dirname, "poller.py");
  // The interpreter that the module is made for, even if another Python is first in PATH.
  const child = spawn("/usr/bin/python3", [script, way, socket, deliveries.url], {
    stdio: ["pipe", "ignore", "inherit"],
  });
  resources.defer(() => end(child));
  if (child.pid === undefined) throw new Error("/usr/bin/python3 cannot be started");
  const cycle = async (): Promise<void> => {
    child.stdin.write("cycle\n");
    await deliveries.next(1);
  };
  await cycle();
  const owned = resources.move();
  return {
    name: WAYS[way],
    pid: child.pid,
    deliveries,
    async work(during) {
      let done = false;
      const working = during().finally(() => {
        done = true;
      });
      // It is set while a cycle is waited for.
      while (!(done as boolean)) await cycle();
      await working;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

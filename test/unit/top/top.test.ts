import assert from "node:assert/strict";
import path from "node:path";
import { PassThrough } from "node:stream";
import { test, type TestContext } from "node:test";
import type { ReadStream, WriteStream } from "node:tty";
import { systemClock } from "../../../src/lib/clock.ts";
import { SimulatorServer } from "../../../src/simulator/server.ts";
import { SimulatedHost } from "../../../src/simulator/simulated-host.ts";
import { runTop, type TopOptions } from "../../../src/top/top.ts";
import { atEnd } from "../../support/at-end.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

interface Once {
  readonly complete: boolean;
  readonly table: string;
  readonly faults: readonly string[];
}

/** Runs `top --once` on two VMs. `change` changes the host before. */
async function once(
  t: TestContext,
  options: Partial<TopOptions>,
  change?: (host: SimulatedHost) => void,
): Promise<Once> {
  const socket = path.join(await temporaryDirectory(t), "libvirt-sock-ro");
  const host = SimulatedHost.of(2, { nics: 1, disks: 1, seed: 1 });
  const server = await SimulatorServer.start(socket, host);
  atEnd(t, () => server[Symbol.asyncDispose]());
  change?.(host);
  const [output, faults] = [new PassThrough(), new Array<string>()];
  const complete = await runTop({
    libvirtSockets: [socket],
    podsDir: undefined,
    sort: "cpu",
    intervalMs: 1_000,
    families: [],
    once: true,
    output: output as unknown as WriteStream,
    input: new PassThrough() as unknown as ReadStream,
    reportFault: (text) => faults.push(text),
    width: Number.POSITIVE_INFINITY,
    clock: systemClock,
    signal: new AbortController().signal,
    ...options,
  });
  return { complete, table: String(output.read() ?? ""), faults };
}

test("one table that a signal prevents is no success", async (t) => {
  const { complete, table } = await once(t, { intervalMs: 3_600_000, signal: AbortSignal.abort() });
  assert.deepEqual([complete, table], [false, ""]);
});

test("one table with every value is a success", async (t) => {
  const { complete, table, faults } = await once(t, {});
  assert.deepEqual([complete, faults], [true, []]);
  assert.match(table, /vm-001[^]*vm-002/);
});

test("one table without the values of a QEMU that does not answer is no success, and names the VM", async (t) => {
  const { complete, table, faults } = await once(t, {}, (host) => {
    host.stuck.add("vm-002");
    atEnd(t, () => {
      host.release("vm-002");
    });
  });
  assert.equal(complete, false);
  assert.match(faults.join("\n"), /vm-002/);
  assert.doesNotMatch(faults.join("\n"), /vm-001/);
  assert.match(table, /vm-001[^]*vm-002/);
});

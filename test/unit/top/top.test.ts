import assert from "node:assert/strict";
import path from "node:path";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import type { ReadStream, WriteStream } from "node:tty";
import { systemClock } from "../../../src/lib/clock.ts";
import { SimulatorServer } from "../../../src/simulator/server.ts";
import { SimulatedHost } from "../../../src/simulator/simulated-host.ts";
import { runTop } from "../../../src/top/top.ts";
import { atEnd } from "../../support/at-end.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

test("one table that a signal prevents is no success", async (t) => {
  const socket = path.join(await temporaryDirectory(t), "libvirt-sock-ro");
  const server = await SimulatorServer.start(socket, SimulatedHost.of(1, { nics: 1, disks: 1, seed: 1 }));
  atEnd(t, () => server[Symbol.asyncDispose]());
  const output = new PassThrough();
  const complete = await runTop({
    libvirtSockets: [socket],
    podsDir: undefined,
    sort: "cpu",
    intervalMs: 3_600_000,
    families: [],
    once: true,
    output: output as unknown as WriteStream,
    input: new PassThrough() as unknown as ReadStream,
    reportFault: () => undefined,
    width: Number.POSITIVE_INFINITY,
    clock: systemClock,
    signal: AbortSignal.abort(),
  });
  assert.deepEqual([complete, output.read()], [false, null]);
});

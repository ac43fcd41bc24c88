import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { ALL_VMS } from "../../../src/node/launcher-endpoints.ts";
import { localEndpoints } from "../../../src/node/local-endpoints.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const allVms = (): typeof ALL_VMS.vms => ALL_VMS.vms;

test("the sockets that are named and those of the launchers are found together, launchers as they come", async (t) => {
  const podsDir = await temporaryDirectory(t);
  const clock = new FakeClock();
  const find = localEndpoints({ podsDir, libvirtSockets: ["/plain"] }, allVms, clock);
  const found = async () => (await find()).map(({ socket, transient }) => [socket, transient]);
  assert.deepEqual(await found(), [["/plain", undefined]]);
  const runtime = path.join(podsDir, "uid-1", "volumes/kubernetes.io~empty-dir/libvirt-runtime");
  await mkdir(runtime, { recursive: true });
  await writeFile(path.join(runtime, "virtqemud-sock"), "");
  assert.deepEqual(await found(), [
    ["/plain", undefined],
    [path.join(runtime, "virtqemud-sock"), true],
  ]);
});

test("a pods directory that cannot be read is an error, and no socket at all is another", async () => {
  const find = localEndpoints({ podsDir: "/nonexistent", libvirtSockets: undefined }, allVms, new FakeClock());
  await assert.rejects(find(), { code: "E_PODS_DIR" });
});

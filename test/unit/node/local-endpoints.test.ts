import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { VmiInventory } from "../../../src/discovery/inventory.ts";
import { ALL_VMS, namingRules } from "../../../src/node/launcher-endpoints.ts";
import { localEndpoints } from "../../../src/node/local-endpoints.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const inventory = new VmiInventory([], () => false, namingRules(ALL_VMS, undefined));

test("the sockets that are named and those of the launchers are found together, launchers as they come", async (t) => {
  const podsDir = await temporaryDirectory(t);
  const clock = new FakeClock();
  const find = localEndpoints({ podsDir, libvirtSockets: ["/plain"] }, inventory, clock);
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
  const find = localEndpoints({ podsDir: "/nonexistent", libvirtSockets: undefined }, inventory, new FakeClock());
  await assert.rejects(find(), { code: "E_PODS_DIR" });
});

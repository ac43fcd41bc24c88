import assert from "node:assert/strict";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { mock, test } from "node:test";
import { LibvirtClient } from "../../src/libvirt/client.ts";
import type { Call } from "../../src/libvirt/call.ts";
import { LibvirtConnection } from "../../src/libvirt/connection.ts";
import { DOMAIN_FILTER, PROCEDURE, REMOTE_ERROR } from "../../src/libvirt/protocol.ts";
import type { DomainRef } from "../../src/libvirt/types.ts";
import { writeDomain } from "../../src/libvirt/wire-types.ts";
import { Launcher } from "./support/launcher.ts";
import { atEnd } from "../support/at-end.ts";

const SOON = { deadlineMs: 20_000 };
/** virDomainDestroy, which the agent's client cannot call. */
const DESTROY = { DOMAIN_DESTROY: 12 };

test("a launcher's daemon denies the agent's connections the end of a guest", async (t) => {
  const podsDir = await mkdtemp(path.join(tmpdir(), "pods-"));
  atEnd(t, () => rm(podsDir, { recursive: true, force: true }));
  // Like the kubelet's directories: owned by root, readable for its group.
  await chmod(podsDir, 0o750);
  await using launcher = await Launcher.start({ podsDir });
  await launcher.createGuest({ namespace: "shop", name: "web" });
  // Through the short path.
  const [, socket = ""] = launcher.uri.split("socket=");
  const opened = mock.method(LibvirtConnection, "connect");
  using client = await LibvirtClient.open(socket, SOON);
  const [guest] = await client.listDomains(DOMAIN_FILTER.ACTIVE, SOON);
  assert.ok(guest !== undefined);
  const connection = await (opened.mock.calls[0]?.result as Promise<LibvirtConnection>);
  opened.mock.restore();

  await assert.rejects(connection.call(destroy(guest)), { libvirtCode: REMOTE_ERROR.OPERATION_DENIED });
  assert.equal((await client.listDomains(DOMAIN_FILTER.ACTIVE, SOON)).length, 1);
  await launcher.virsh("destroy", "shop_web");
  assert.equal((await client.listDomains(DOMAIN_FILTER.ACTIVE, SOON)).length, 0);
});

function destroy(guest: DomainRef): Call<undefined> {
  Object.assign(PROCEDURE, DESTROY);
  return {
    procedure: "DOMAIN_DESTROY" as keyof typeof PROCEDURE,
    write: (writer) => {
      writeDomain(writer, guest);
    },
    read: () => undefined,
    ...SOON,
  };
}

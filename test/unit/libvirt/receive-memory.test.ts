import assert from "node:assert/strict";
import { test } from "node:test";
import type { LibvirtError } from "../../../src/libvirt/errors.ts";
import { KeptBytes, ReceiveMemory, type Holder } from "../../../src/libvirt/receive-memory.ts";

const OVER = { code: "E_LIBVIRT_LIMIT", limit: "Memory" };

/** Connections `peer.number`, and the names of those that were ended. */
function connections(...names: readonly string[]) {
  const ended: string[] = [];
  const peers = new Map<string, object>();
  const holders = names.map((name): Holder => {
    const peerName = name.split(".")[0] ?? "";
    const peer = peers.get(peerName) ?? {};
    peers.set(peerName, peer);
    return { peer, end: (error: LibvirtError) => void ended.push(`${name} ${error.limit}`) };
  });
  return { ended, holders };
}

test("the largest connection is ended although another one needs the bytes", () => {
  const memory = new ReceiveMemory(100);
  const { ended, holders } = connections("a.1", "b.1", "c.1");
  const [a, b, c] = holders as [Holder, Holder, Holder];
  memory.hold(a, 30);
  memory.hold(b, 60);
  memory.hold(c, 20);
  assert.deepEqual(ended, ["b.1 Memory"]);
  assert.equal(memory.bytes, 50);
});

test("a connection that needs most itself gets the error and keeps nothing", () => {
  const memory = new ReceiveMemory(100);
  const { ended, holders } = connections("a.1", "b.1");
  const [a, b] = holders as [Holder, Holder];
  memory.hold(a, 40);
  memory.hold(b, 50);
  assert.throws(() => {
    memory.hold(b, 80);
  }, OVER);
  assert.deepEqual([ended, memory.bytes], [[], 40]);
});

test("the connections of a daemon count together, and its largest one is ended", () => {
  const memory = new ReceiveMemory(100);
  const { ended, holders } = connections("many.1", "many.2", "many.3", "one.1");
  const [first, second, third, one] = holders as [Holder, Holder, Holder, Holder];
  memory.hold(first, 20);
  memory.hold(second, 25);
  memory.hold(third, 15);
  memory.hold(one, 45);
  assert.deepEqual([ended, memory.bytes], [["many.2 Memory"], 80]);
});

test("several connections of the largest daemon are ended if one is not enough", () => {
  const memory = new ReceiveMemory(100);
  const { ended, holders } = connections("many.1", "many.2", "many.3", "many.4", "many.5", "one.1");
  for (const holder of holders.slice(0, 5)) memory.hold(holder, 20);
  memory.hold(holders[5] as Holder, 50);
  assert.deepEqual(ended, ["many.1 Memory", "many.2 Memory", "many.3 Memory"]);
  assert.equal(memory.bytes, 90);
});

test("a connection that has ended keeps nothing, also if a decoder still runs", () => {
  const memory = new ReceiveMemory(100);
  const { holders } = connections("a.1");
  const kept = new KeptBytes(memory, holders[0] as Holder);
  kept.setIncomplete(30);
  kept.addDetached(40);
  assert.equal(memory.bytes, 70);
  kept.release();
  kept.addDetached(-40);
  assert.equal(memory.bytes, 0);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { PacketWriter } from "../../../src/libvirt/packet-writer.ts";

const packet = (text: string): Buffer => Buffer.from(text);

test("the packets of one turn are one write, in their order", async () => {
  const writes: string[] = [];
  const writer = new PacketWriter((bytes) => void writes.push(bytes.toString()));
  writer.push(packet("list "));
  await Promise.resolve();
  writer.push(packet("info "));
  void Promise.resolve().then(() => {
    writer.push(packet("stats "));
  });
  assert.deepEqual(writes, []);
  await new Promise(setImmediate);
  assert.deepEqual(writes, ["list info stats "]);
  writer.push(packet("again"));
  await new Promise(setImmediate);
  assert.deepEqual(writes, ["list info stats ", "again"]);
});

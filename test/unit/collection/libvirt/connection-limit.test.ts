import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectionLimit } from "../../../../src/collection/libvirt/connection-limit.ts";

class FakeConnection {
  readonly #ended = Promise.withResolvers<undefined>();
  readonly name: string;
  destroyed = false;

  constructor(name: string) {
    this.name = name;
  }

  get closed(): Promise<undefined> {
    return this.#ended.promise;
  }

  destroy(): void {
    this.destroyed = true;
    this.#ended.resolve(undefined);
  }
}

async function opened(limit: ConnectionLimit, names: string): Promise<FakeConnection[]> {
  const connections: FakeConnection[] = [];
  for (const name of names) connections.push(await limit.open(() => Promise.resolve(new FakeConnection(name))));
  return connections;
}

function destroyedOf(connections: readonly FakeConnection[]): string {
  return connections
    .filter(({ destroyed }) => destroyed)
    .map(({ name }) => name)
    .join("");
}

test("above the limit the connection that was not used for longest is closed", async () => {
  let reached = 0;
  const limit = new ConnectionLimit(3, () => reached++);
  const connections = await opened(limit, "abc");
  const [a] = connections;
  assert.ok(a !== undefined);
  limit.used(a);
  connections.push(...(await opened(limit, "de")));
  assert.equal(destroyedOf(connections), "bc");
  assert.equal(reached, 2);
});

test("a connection that has ended needs no place", async () => {
  const limit = new ConnectionLimit(2);
  const [a, b] = await opened(limit, "ab");
  a?.destroy();
  await a?.closed;
  await opened(limit, "c");
  assert.equal(b?.destroyed, false);
});

test("an attempt to connect needs a place until it ends", async () => {
  const limit = new ConnectionLimit(2);
  const [a, b] = await opened(limit, "ab");
  const attempts = [0, 1].map(() => Promise.withResolvers<FakeConnection>());
  const [first, second] = attempts.map(({ promise }) => limit.open(() => promise));
  assert.equal(destroyedOf([a, b].filter((connection) => connection !== undefined)), "ab");
  let started = false;
  const third = limit.open(() => {
    started = true;
    return Promise.resolve(new FakeConnection("c"));
  });
  await Promise.resolve();
  assert.equal(started, false);
  attempts[0]?.reject(new Error("no answer"));
  await assert.rejects(first ?? Promise.resolve(), { message: "no answer" });
  assert.equal((await third).name, "c");
  attempts[1]?.resolve(new FakeConnection("d"));
  await second;
});

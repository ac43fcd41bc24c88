import assert from "node:assert/strict";
import { test } from "node:test";
import { EventConnections } from "../../../../src/collection/libvirt/event-connections.ts";
import type { LibvirtClient } from "../../../../src/libvirt/client.ts";
import type { DomainEvent } from "../../../../src/libvirt/types.ts";
import { turns } from "../../../support/turns.ts";

const DOMAIN = { name: "web", uuid: "u", id: 1 };
const NAMES = ["REBOOT", "LIFECYCLE"] as const;
const REBOOT: DomainEvent = { name: "REBOOT", numbers: [], domain: DOMAIN };
const STARTED: DomainEvent = { name: "LIFECYCLE", numbers: [2, 0], domain: DOMAIN };

/** A connection whose subscription is answered when the test says so. */
function connection() {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  let listener: ((event: DomainEvent) => void) | undefined;
  const client = {
    isOpen: true,
    subscribe: (_names: unknown, receive: (event: DomainEvent) => void) => {
      listener = receive;
      return promise;
    },
    ignoreEvents: () => (listener = undefined),
    close: () => (client.isOpen = false),
  };
  return {
    session: client as unknown as LibvirtClient,
    send: (event: DomainEvent) => listener?.(event),
    async subscribed(wait = 5): Promise<void> {
      resolve(undefined);
      await turns(wait);
    },
  };
}

/** Returns connections that receive the events of a daemon, and what they have received. */
function bench() {
  const received: DomainEvent[] = [];
  const events = new EventConnections(
    (event) => received.push(event),
    (error) => assert.fail(error),
  );
  return { events, taken: () => received.splice(0).map(({ name }) => name) };
}

test("a connection that is subscribed late does not replace a newer one", async () => {
  const { events, taken } = bench();
  const [first, second, third] = [connection(), connection(), connection()];
  for (const { session } of [first, second, third]) events.follow(session, NAMES);
  await first.subscribed();
  await third.subscribed();
  await second.subscribed();
  for (const { send } of [first, second, third]) send(REBOOT);
  assert.deepEqual(taken(), ["REBOOT"]);
  assert.deepEqual([events.keep(second.session), events.keep(third.session)], [false, true]);
});

test("no event is lost or arrives twice while one connection replaces another", async () => {
  const { events, taken } = bench();
  const [old, fresh] = [connection(), connection()];
  events.follow(old.session, NAMES);
  await old.subscribed();
  events.follow(fresh.session, NAMES);
  old.send(REBOOT);
  assert.deepEqual(taken(), ["REBOOT"], "from before the subscription");
  fresh.send(STARTED);
  // The answer to the subscription is read before what waits in the socket of the old connection.
  const subscribed = fresh.subscribed(0);
  await Promise.resolve();
  old.send(STARTED);
  old.send(REBOOT);
  fresh.send(REBOOT);
  await subscribed;
  assert.deepEqual(taken(), ["LIFECYCLE", "REBOOT"]);
  await turns(2);
  old.send(REBOOT);
  fresh.send(REBOOT);
  assert.deepEqual(taken(), ["REBOOT"]);
});

test("an event that only the new connection has before its subscription is answered is not lost", async () => {
  const { events, taken } = bench();
  const [old, fresh] = [connection(), connection()];
  events.follow(old.session, NAMES);
  await old.subscribed();
  events.follow(fresh.session, NAMES);
  fresh.send(REBOOT);
  await fresh.subscribed();
  assert.deepEqual(taken(), ["REBOOT"]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { DomainEvents } from "../../../../src/collection/libvirt/domain-events.ts";
import { DomainHistory } from "../../../../src/collection/libvirt/domain-history.ts";
import { EVENTS } from "../../../../src/collection/stats-needs.ts";
import type { VmReport } from "../../../../src/collection/vm-report.ts";
import type { LibvirtClient } from "../../../../src/libvirt/client.ts";
import type { DomainEvent } from "../../../../src/libvirt/types.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { turns } from "../../../support/turns.ts";

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
    async subscribed(): Promise<void> {
      resolve(undefined);
      await turns(5);
    },
  };
}

test("a connection that is subscribed late does not replace a newer one", async () => {
  const emitted: VmReport[] = [];
  const clock = new FakeClock();
  const emit = (report: VmReport): void => void emitted.push(report);
  const options = { identify: undefined, history: new DomainHistory(), checks: undefined, clock, emit };
  const events = new DomainEvents({ ...options, needs: [EVENTS] });
  const domain = { name: "web", uuid: "u", id: 1 };
  events.retain([domain]);
  const [first, second, third] = [connection(), connection(), connection()];
  for (const { session } of [first, second, third]) events.follow(session);
  await first.subscribed();
  await third.subscribed();
  await second.subscribed();
  for (const { send } of [first, second, third]) send({ name: "REBOOT", numbers: [], domain });
  assert.equal(emitted.length, 1);
  assert.deepEqual([events.keep(second.session), events.keep(third.session)], [false, true]);
});

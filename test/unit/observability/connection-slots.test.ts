import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { test } from "node:test";
import { ConnectionSlots, maxWaiting } from "../../../src/observability/connection-slots.ts";
import { FakeClock } from "../../support/fake-clock.ts";

class FakeSocket extends EventEmitter {
  destroyed = false;
  readonly remoteAddress: string;

  constructor(remoteAddress: string) {
    super();
    this.remoteAddress = remoteAddress;
  }

  resetAndDestroy(): void {
    this.destroy();
  }

  destroy(): void {
    this.destroyed = true;
    queueMicrotask(() => this.emit("close"));
  }
}

class Bench {
  readonly clock = new FakeClock();
  readonly served: FakeSocket[] = [];
  readonly slots = new ConnectionSlots(
    { slots: 4, minimumMs: 1_000, waiting: 10, rate: { burst: 50, periodMs: 100 } },
    this.clock,
    (socket) => this.served.push(socket as unknown as FakeSocket),
  );

  accept(address: string): FakeSocket {
    const socket = new FakeSocket(address);
    this.slots.accept(socket as unknown as Socket);
    return socket;
  }

  /** Whether the connection is served now. */
  isServed(socket: FakeSocket): boolean {
    return this.served.includes(socket) && !socket.destroyed;
  }
}

test("connections that wait leave most files of a process free", () => {
  assert.deepEqual([64, 256, 4_096, 1 << 20, Infinity].map(maxWaiting), [16, 16, 256, 1_024, 1_024]);
});

test("a client with fewer connections replaces the oldest one of the client with most", () => {
  const bench = new Bench();
  const flood = Array.from({ length: 8 }, () => bench.accept("10.0.0.1"));
  const kubelet = bench.accept("10.0.0.2");
  assert.ok(bench.isServed(kubelet));
  assert.deepEqual(
    flood.map(({ destroyed }) => destroyed),
    [true, ...Array<boolean>(7).fill(false)],
  );
});

test("other connections wait until one is closed, or was served for the minimum time", async () => {
  const bench = new Bench();
  const [first, second, , , fifth, sixth] = Array.from({ length: 6 }, () => bench.accept("10.0.0.1"));
  assert.ok(first && second && fifth && sixth);
  assert.equal(bench.served.length, 4);
  first.destroy();
  await bench.clock.advance(100);
  assert.ok(bench.isServed(fifth));
  await bench.clock.advance(800);
  assert.ok(!bench.isServed(sixth));
  await bench.clock.advance(100);
  assert.ok(bench.isServed(sixth) && second.destroyed);
  assert.equal(bench.clock.sleeping, 0, "nothing runs while no connection waits");
});

test("a client that opens each closed connection again gets slots at a bounded rate", async () => {
  const bench = new Bench();
  const open = (): void => {
    bench.accept("10.0.0.1").once("close", () => {
      queueMicrotask(open);
    });
  };
  for (let client = 0; client < 8; client++) open();
  await bench.clock.advance(10_000);
  assert.ok(bench.served.length <= 4 + 4 * 10, `${bench.served.length}`);
});

test("a new connection is closed if too many wait, and a closed one leaves its place", async () => {
  const bench = new Bench();
  const all = Array.from({ length: 14 }, () => bench.accept("10.0.0.1"));
  assert.ok(bench.accept("10.0.0.1").destroyed);
  all[10]?.destroy();
  await bench.clock.advance(0);
  assert.ok(!bench.accept("10.0.0.1").destroyed);
  bench.slots.closeAll();
  assert.ok(all.every(({ destroyed }) => destroyed));
});

test("connections that are opened and closed all the time are served at the rate, and a rare client at once", async () => {
  const bench = new Bench();
  for (let connection = 0; connection < 200; connection++) {
    bench.accept("10.0.0.1").destroy();
    await bench.clock.advance(1);
  }
  assert.ok(bench.served.length <= 53, `${bench.served.length}`);
  const flood = Array.from({ length: 5 }, () => bench.accept("10.0.0.1"));
  const kubelet = bench.accept("10.0.0.2");
  await bench.clock.advance(200);
  assert.ok(bench.isServed(kubelet));
  assert.ok(flood.some((socket) => !bench.isServed(socket)));
});

test("if too many connections wait, one of the client with most makes room for another client", async () => {
  const bench = new Bench();
  const flood = Array.from({ length: 14 }, () => bench.accept("10.0.0.1"));
  const kubelet = bench.accept("10.0.0.2");
  await bench.clock.advance(0);
  assert.ok(bench.isServed(kubelet));
  assert.equal(flood.filter(({ destroyed }) => destroyed).length, 2, "a connection that waits, and one that is served");
});

test("if too many clients wait, a known one replaces the newest one that is not known", async () => {
  const bench = new Bench();
  bench.accept("10.0.0.2").destroy();
  await bench.clock.advance(10_000);
  const served = Array.from({ length: 4 }, (_, index) => bench.accept(`10.0.1.${index}`));
  const waiting = Array.from({ length: 10 }, (_, index) => bench.accept(`10.0.2.${index}`));
  assert.ok(bench.accept("10.0.3.1").destroyed, "a new client has no place");
  const kubelet = bench.accept("10.0.0.2");
  assert.deepEqual(
    [...served, ...waiting, kubelet].map(({ destroyed }) => destroyed),
    [...served, ...waiting, kubelet].map((socket) => socket === waiting.at(-1)),
  );
  await bench.clock.advance(1_000);
  assert.ok(bench.isServed(kubelet));
});

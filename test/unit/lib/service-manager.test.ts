import assert from "node:assert/strict";
import { test } from "node:test";
import { ServiceManager } from "../../../src/lib/service-manager.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const SOCKET = { NOTIFY_SOCKET: "/run/systemd/notify" };

function manager(env: NodeJS.ProcessEnv, send?: (state: string) => Promise<void>) {
  const states: string[] = [];
  const record = (state: string): Promise<void> => {
    states.push(state);
    return send?.(state) ?? Promise.resolve();
  };
  return { manager: ServiceManager.of(env, record), states };
}

test("a process that no service manager started has none", () => {
  assert.equal(manager({}).manager, undefined);
});

test("a process says once that it is ready", async () => {
  const { manager: started, states } = manager(SOCKET);
  await started?.ready();
  assert.deepEqual(states, ["READY=1"]);
});

test("a healthy process gives three signs of life in the manager's limit", async () => {
  const { manager: started, states } = manager({ ...SOCKET, WATCHDOG_USEC: "30000000" });
  const clock = new FakeClock();
  const ended = new AbortController();
  let healthy = true;
  const watching = started?.watch({ clock, signal: ended.signal, healthy: () => healthy });
  await clock.advance(29_999);
  assert.deepEqual(states, Array(3).fill("WATCHDOG=1"));
  healthy = false;
  await clock.advance(60_000);
  assert.equal(states.length, 3);
  healthy = true;
  await clock.advance(10_000);
  assert.equal(states.length, 4);
  ended.abort();
  await watching;
});

test("a sign of life that is lost does not end the others", async () => {
  const { manager: started, states } = manager({ ...SOCKET, WATCHDOG_USEC: "3000000" }, () =>
    Promise.reject(new Error("no systemd-notify")),
  );
  const clock = new FakeClock();
  const ended = new AbortController();
  const watching = started?.watch({ clock, signal: ended.signal, healthy: () => true });
  await clock.advance(5_000);
  assert.equal(states.length, 6);
  ended.abort();
  await watching;
});

for (const limit of [undefined, "0", "", "never"])
  test(`a manager with the limit ${limit} gets no signs of life`, async () => {
    const { manager: started, states } = manager({ ...SOCKET, WATCHDOG_USEC: limit });
    await started?.watch({ clock: new FakeClock(), signal: AbortSignal.abort(), healthy: () => true });
    await started?.watch({ clock: new FakeClock(), signal: new AbortController().signal, healthy: () => true });
    assert.deepEqual(states, []);
  });

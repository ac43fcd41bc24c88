import assert from "node:assert/strict";
import { test } from "node:test";
import { LAUNCHER_BUDGET } from "../../../src/budget.ts";
import { Quotas } from "../../../src/routing/quotas.ts";
import type { SpoolStats } from "../../../src/spool/spool.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const HOUR_MS = 3_600_000;
const SOCKET = "/pods/a/sock";
const LAUNCHER = { socket: SOCKET, budget: { ...LAUNCHER_BUDGET, newSeries: 2 } };

/** Returns how many of these series the launcher may write. */
function admitted(quotas: Quotas, ...texts: readonly string[]): number {
  const quota = quotas.of(SOCKET);
  return texts.filter((text) => quota?.admits({ measurement: {}, part: undefined, text, countedIn: undefined })).length;
}

test("a launcher that removes its socket and creates it again gets no new quota before the hour is over", async () => {
  const clock = new FakeClock();
  const quotas = new Quotas(clock);
  quotas.retain([LAUNCHER]);
  assert.equal(admitted(quotas, "a", "b", "c"), 2);
  quotas.retain([]);
  assert.equal(quotas.of(SOCKET), undefined);
  quotas.retain([LAUNCHER]);
  assert.equal(admitted(quotas, "d", "e"), 0);
  quotas.retain([]);
  await clock.advance(HOUR_MS);
  quotas.retain([]);
  quotas.retain([LAUNCHER]);
  assert.equal(admitted(quotas, "d", "e"), 2);
});

test("a launcher that was gone is still charged with its lines in the spool", () => {
  const quotas = new Quotas(new FakeClock());
  quotas.retain([LAUNCHER]);
  const quota = quotas.of(SOCKET);
  quota?.addBytes(1_000);
  quotas.retain([]);
  quotas.updateShares(quotas.takeWritten(1_000), { bytes: 100, appendedBytes: 100 } as SpoolStats);
  quotas.retain([LAUNCHER]);
  assert.equal(quotas.of(SOCKET)?.spooledBytes, 100);
});

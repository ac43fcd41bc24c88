import assert from "node:assert/strict";
import { test } from "node:test";
import { SearchPace } from "../../../src/delivery/search-pace.ts";

test("a burst of 100 requests has no delay, and 120 a minute follow", () => {
  const pace = new SearchPace();
  let nowMs = 5_000;
  assert.ok(pace.nextMs <= nowMs);
  for (let count = 0; count < 100; count++) pace.count(nowMs);
  assert.equal(pace.nextMs, nowMs);
  pace.count(nowMs);
  assert.equal(pace.nextMs, nowMs + 500);
  let sent = 0;
  for (; nowMs < 65_000; sent++) pace.count((nowMs = Math.max(nowMs, pace.nextMs)));
  assert.ok(sent >= 119 && sent <= 121, `${sent} requests`);
});

test("a pause gives back the burst, and no more", () => {
  const pace = new SearchPace();
  for (let count = 0; count < 1_000; count++) pace.count(0);
  const later = 3_600_000;
  for (let count = 0; count < 100; count++) {
    assert.ok(pace.nextMs <= later);
    pace.count(later);
  }
  pace.count(later);
  assert.ok(pace.nextMs > later);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { EndpointView } from "../../../src/observability/agent-view.ts";
import { firstDaemons, MAX_DAEMONS } from "../../../src/observability/first-daemons.ts";

const daemon = (state: EndpointView["state"]): EndpointView => ({ state }) as EndpointView;

test("of many daemons those that are not up come first, and the others in their order", () => {
  const up = Array.from({ length: MAX_DAEMONS + 50 }, () => daemon("up"));
  const failed = daemon("failed");
  assert.deepEqual(firstDaemons([...up, failed]), [failed, ...up.slice(0, MAX_DAEMONS - 1)]);
  const few = [up[0] ?? failed, failed];
  assert.equal(firstDaemons(few), few);
});

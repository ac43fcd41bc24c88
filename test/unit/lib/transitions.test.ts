import assert from "node:assert/strict";
import { test } from "node:test";
import { Transitions } from "../../../src/lib/transitions.ts";

function fixture() {
  const written: string[] = [];
  const allowed = new Set(["x", "y"]);
  // Each cause is allowed once.
  const transitions = new Transitions((cause) => allowed.delete(cause));
  const enter = (thing: string, state: string): void => {
    transitions.enter(thing, state, state, () => written.push(`${thing} ${state}`));
  };
  const normal = (thing: string): void => {
    transitions.normal(thing, () => written.push(`${thing} normal`));
  };
  return { transitions, allowed, enter, normal, logged: () => written.splice(0) };
}

test("a state and its end are written once", () => {
  const { enter, normal, logged } = fixture();
  normal("a");
  for (const state of ["x", "x", "y", "y"]) enter("a", state);
  normal("a");
  normal("a");
  assert.deepEqual(logged(), ["a x", "a y", "a normal"]);
});

test("a state that the limit delays is written when it lasts, and not when it has ended", () => {
  const { transitions, allowed, enter, normal, logged } = fixture();
  for (const thing of ["a", "b", "c"]) enter(thing, "x");
  assert.deepEqual(logged(), ["a x"]);
  normal("b");
  transitions.retry();
  assert.deepEqual(logged(), []);
  allowed.add("x");
  transitions.retry();
  transitions.retry();
  assert.deepEqual(logged(), ["c x"]);
});

test("a delayed state that has passed is not written, nor is the return to the written one", () => {
  const { transitions, allowed, enter, logged } = fixture();
  enter("a", "x");
  allowed.clear();
  enter("a", "y");
  enter("a", "x");
  allowed.add("x").add("y");
  transitions.retry();
  assert.deepEqual(logged(), ["a x"]);
});

test("things that are not retained are in their normal state", () => {
  const { transitions, allowed, enter, normal, logged } = fixture();
  enter("a", "x");
  enter("ab", "y");
  transitions.retain(new Set(["a"]));
  normal("a");
  normal("ab");
  allowed.add("y");
  enter("ab", "y");
  assert.deepEqual(logged(), ["a x", "ab y", "a normal", "ab y"]);
});

test("things that are forgotten are in their normal state", () => {
  const { transitions, allowed, enter, normal, logged } = fixture();
  enter("a 1", "x");
  enter("b 1", "y");
  transitions.forget("a");
  normal("a 1");
  allowed.add("x");
  enter("a 1", "x");
  normal("b 1");
  assert.deepEqual(logged(), ["a 1 x", "b 1 y", "a 1 x", "b 1 normal"]);
});

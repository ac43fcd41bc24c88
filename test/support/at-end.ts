import type { TestContext } from "node:test";

const stacks = new WeakMap<TestContext, AsyncDisposableStack>();

/**
 * Runs `cleanUp` when the test ends: what was registered last runs first, because a process may still use a directory that was
 * made before it. The hooks of `node:test` run in the other order, and none of them runs after one that failed.
 */
export function atEnd(t: TestContext, cleanUp: () => unknown): void {
  let stack = stacks.get(t);
  if (stack === undefined) {
    const created = new AsyncDisposableStack();
    stacks.set(t, (stack = created));
    t.after(() => created.disposeAsync());
  }
  stack.defer(async () => {
    await cleanUp();
  });
}

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { selectConfig, type Candidate } from "../../../src/config/select.ts";

function candidate(over: Partial<Candidate> = {}): Candidate {
  return { name: "one", createdMs: 0, state: "Active", priority: 0, nodeSelector: {}, ...over };
}

const anyCandidates = fc
  .uniqueArray(
    fc.record({
      name: fc.stringMatching(/^[ab]{1,3}$/),
      createdMs: fc.integer({ min: 0, max: 2 }),
      state: fc.constantFrom("Active" as const, "Active" as const, "Suspended" as const),
      priority: fc.integer({ min: -1, max: 1 }),
      nodeSelector: fc.constantFrom({}, {}, { matchLabels: { pool: "virt" } }),
    }),
    { selector: ({ name }) => name, maxLength: 8 },
  )
  .chain((configs) => fc.tuple(fc.constant(configs), fc.shuffledSubarray(configs, { minLength: configs.length })));

const anyLabels = fc.constantFrom({}, { pool: "virt" }, { pool: "other" });

/** The rule of the documentation, written independently of the code. */
function beats(a: Candidate, b: Candidate): boolean {
  if (a.priority !== b.priority) return a.priority > b.priority;
  if (a.createdMs !== b.createdMs) return a.createdMs < b.createdMs;
  return a.name < b.name;
}

test("the Active object with the highest precedence governs, in every order of input", () => {
  fc.assert(
    fc.property(anyCandidates, anyLabels, ([configs, shuffled], labels) => {
      const { governing, overridden } = selectConfig(configs, labels);
      assert.deepEqual(selectConfig(shuffled, labels), { governing, overridden });

      const selecting = configs.filter(
        ({ state, nodeSelector }) =>
          state === "Active" &&
          (nodeSelector.matchLabels === undefined || labels.pool === nodeSelector.matchLabels.pool),
      );
      assert.equal(governing === undefined, selecting.length === 0);
      if (governing === undefined) return;
      assert.ok(selecting.every((other) => other === governing || beats(governing, other)));
      assert.deepEqual(
        new Set([governing, ...overridden]),
        new Set(selecting),
        "every object that selects the node governs or is overridden",
      );
      assert.equal(overridden.length, selecting.length - 1);
    }),
  );
});

test("overridden objects are in order of precedence", () => {
  const first = candidate({ name: "first", priority: 1, createdMs: 5 });
  const younger = candidate({ name: "a-younger", priority: 1, createdMs: 6 });
  const sameAge = candidate({ name: "second", priority: 1, createdMs: 5 });
  const lower = candidate({ name: "lower", priority: -3, createdMs: 0 });
  assert.deepEqual(selectConfig([lower, younger, sameAge, first], {}), {
    governing: first,
    overridden: [sameAge, younger, lower],
  });
});

test("a suspended object governs nothing and overrides nothing", () => {
  const suspended = candidate({ name: "suspended", priority: 1000, state: "Suspended" });
  const active = candidate({ name: "active" });
  assert.deepEqual(selectConfig([suspended, active], {}), { governing: active, overridden: [] });
  assert.deepEqual(selectConfig([suspended], {}), { governing: undefined, overridden: [] });
});

test("an object that does not select the node is ignored", () => {
  const elsewhere = candidate({ name: "elsewhere", priority: 9, nodeSelector: { matchLabels: { pool: "virt" } } });
  assert.deepEqual(selectConfig([elsewhere], { pool: "other" }), { governing: undefined, overridden: [] });
  assert.equal(selectConfig([elsewhere], { pool: "virt" }).governing, elsewhere);
});

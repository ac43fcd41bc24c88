import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { LabelSelector } from "../../../src/config/schema.ts";
import { matchesLabels, matchesNamespace, matchesVm } from "../../../src/config/selectors.ts";

const KEYS = ["team", "zone", "constructor", "__proto__"];
const VALUES = ["a", "b", ""];

const anyLabels = fc
  .array(fc.tuple(fc.constantFrom(...KEYS), fc.constantFrom(...VALUES)))
  .map(Object.fromEntries<string>);
const anyValues = fc.subarray(VALUES, { minLength: 1 });
const anyRequirement = fc.oneof(
  fc.record({ key: fc.constantFrom(...KEYS), operator: fc.constantFrom("In", "NotIn"), values: anyValues }),
  fc.record({ key: fc.constantFrom(...KEYS), operator: fc.constantFrom("Exists", "DoesNotExist") }),
);

function where(...matchExpressions: NonNullable<LabelSelector["matchExpressions"]>): LabelSelector {
  return { matchExpressions };
}

/** Cases from the Kubernetes documentation and `k8s.io/apimachinery/pkg/labels`. */
const SEMANTICS: readonly (readonly [selector: LabelSelector, labels: Record<string, string>, matches: boolean])[] = [
  [{}, {}, true],
  [{}, { team: "a" }, true],
  [{ matchLabels: { team: "a" } }, { team: "a", zone: "b" }, true],
  [{ matchLabels: { team: "a" } }, { team: "b" }, false],
  [{ matchLabels: { team: "a" } }, {}, false],
  [{ matchLabels: { team: "" } }, {}, false],
  [{ matchLabels: { team: "a", zone: "b" } }, { team: "a" }, false],
  [where({ key: "team", operator: "In", values: ["a", "b"] }), { team: "b" }, true],
  [where({ key: "team", operator: "In", values: ["a", "b"] }), { team: "c" }, false],
  [where({ key: "team", operator: "In", values: ["a"] }), {}, false],
  [where({ key: "team", operator: "NotIn", values: ["a"] }), { team: "b" }, true],
  [where({ key: "team", operator: "NotIn", values: ["a"] }), { team: "a" }, false],
  [where({ key: "team", operator: "NotIn", values: ["a"] }), {}, true],
  [where({ key: "team", operator: "Exists" }), { team: "" }, true],
  [where({ key: "team", operator: "Exists" }), {}, false],
  [where({ key: "team", operator: "DoesNotExist" }), {}, true],
  [where({ key: "team", operator: "DoesNotExist" }), { team: "a" }, false],
  [{ matchLabels: { team: "a" }, ...where({ key: "zone", operator: "Exists" }) }, { team: "a" }, false],
  [{ matchLabels: { team: "a" }, ...where({ key: "zone", operator: "Exists" }) }, { team: "a", zone: "b" }, true],
];

test("label selectors match as in Kubernetes", () => {
  for (const [selector, labels, matches] of SEMANTICS)
    assert.equal(matchesLabels(selector, labels), matches, JSON.stringify([selector, labels]));
});

test("a selector matches exactly if each requirement matches alone", () => {
  fc.assert(
    fc.property(
      fc.array(anyRequirement, { maxLength: 4 }),
      anyLabels,
      anyLabels,
      (requirements, matchLabels, labels) => {
        const single = [
          ...requirements.map((requirement) => where(requirement)),
          ...Object.entries(matchLabels).map(([key, value]) => where({ key, operator: "In", values: [value] })),
        ];
        assert.equal(
          matchesLabels({ matchLabels, matchExpressions: requirements }, labels),
          single.every((selector) => matchesLabels(selector, labels)),
        );
      },
    ),
  );
});

test("NotIn is the opposite of In, and DoesNotExist of Exists, for all labels", () => {
  fc.assert(
    fc.property(fc.constantFrom(...KEYS), anyValues, anyLabels, (key, values, labels) => {
      const holds = (operator: "In" | "NotIn" | "Exists" | "DoesNotExist"): boolean =>
        matchesLabels(where({ key, operator, ...(operator.endsWith("In") && { values }) }), labels);
      assert.notEqual(holds("In"), holds("NotIn"));
      assert.notEqual(holds("Exists"), holds("DoesNotExist"));
      assert.equal(holds("Exists"), Object.hasOwn(labels, key));
    }),
  );
});

const NAMESPACES: readonly (readonly [
  include: string[] | undefined,
  exclude: string[] | undefined,
  string,
  boolean,
])[] = [
  [undefined, undefined, "web", true],
  [[], [], "web", true],
  [["web"], undefined, "web", true],
  [["web"], undefined, "web-1", false],
  [["web*"], undefined, "web", true],
  [["web*"], undefined, "web-1", true],
  [["web*"], undefined, "my-web", false],
  [["*"], undefined, "anything", true],
  [undefined, ["kube-*"], "kube-system", false],
  [undefined, ["kube-*"], "web", true],
  [["web*"], ["web-test"], "web-test", false],
  [["web-test"], ["*"], "web-test", false],
];

test("a namespace matches if it is included and not excluded", () => {
  for (const [include, exclude, namespace, matches] of NAMESPACES) {
    const filter = { ...(include && { include }), ...(exclude && { exclude }) };
    assert.equal(matchesNamespace(filter, namespace), matches, JSON.stringify([filter, namespace]));
  }
});

test("a pattern with a final star matches a prefix, and exclude takes precedence", () => {
  const name = fc.stringMatching(/^[ab]{1,4}$/);
  fc.assert(
    fc.property(name, name, (prefix, namespace) => {
      const matches = matchesNamespace({ include: [`${prefix}*`] }, namespace);
      assert.equal(matches, namespace.startsWith(prefix));
      assert.equal(matchesNamespace({ exclude: [`${prefix}*`] }, namespace), !matches);
      assert.equal(matchesNamespace({ include: [namespace], exclude: [`${prefix}*`] }, namespace), !matches);
    }),
  );
});

test("a VMI matches if its namespace and its labels match", () => {
  const filter = { namespaces: { include: ["web"] }, vmSelector: { matchLabels: { team: "a" } } };
  assert.equal(matchesVm(filter, "web", { team: "a" }), true);
  assert.equal(matchesVm(filter, "web", { team: "b" }), false);
  assert.equal(matchesVm(filter, "db", { team: "a" }), false);
  assert.equal(matchesVm({ namespaces: {}, vmSelector: {} }, "db", {}), true);
});

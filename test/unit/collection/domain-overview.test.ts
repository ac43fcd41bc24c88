import assert from "node:assert/strict";
import { test } from "node:test";
import { domainOverviews } from "../../../src/collection/domain-overview.ts";
import { sample } from "../../support/samples.ts";

test("a domain's label has namespace and name, and libvirt's name tells whether it is stuck", () => {
  const { identity } = sample();
  const vm = sample({ identity: { ...identity, namespace: "shop", name: "web" } });
  const plain = sample({ identity: { ...identity, id: 2, namespace: "", name: "web" } });
  const overviews = domainOverviews({ samples: [vm, plain], before: [], details: new Map(), stuck: ["shop_web"] });
  assert.deepEqual(
    overviews.map(({ label, stuck, load }) => [label, stuck, load]),
    [
      ["shop/web", true, undefined],
      ["web", false, undefined],
    ],
  );
});

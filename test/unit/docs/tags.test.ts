import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parseLines } from "../../../scripts/demo/line-protocol-parser.ts";
import type { DomainSample } from "../../../src/collection/domain-sample.ts";
import { TAGS, type Family } from "../../../src/contract.ts";
import { SyntheticDomain } from "../../../src/simulator/synthetic-domain.ts";
import { docTables } from "../../support/docs.ts";
import { points } from "../../support/encode.ts";
import { SimulatedEndpoint } from "../../support/simulated-endpoint.ts";

const PAGE = "docs/tags.md";
const tables = docTables(PAGE);

test("the table of tags has the tags of lines, in their order", () => {
  const tags = tables.find(({ columns }) => columns[0] === "tag")?.rows.map(([name]) => name);
  assert.deepEqual(
    tags,
    TAGS.map((tag) => `\`${tag}\``),
  );
  const written = parseLines(readFileSync("test/golden/lines/kubevirt-domain.lp", "utf8"));
  for (const { tags: given } of written) {
    const ours = [...given.keys()].filter((tag) => TAGS.includes(tag));
    assert.deepEqual(
      ours,
      [...ours].sort((a, b) => TAGS.indexOf(a) - TAGS.indexOf(b)),
    );
  }
});

test("the numbers of series and values match a simulated VM with 2 NICs and 3 disks", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { domains: 1, shape: { nics: 2, disks: 3, seed: 1 } });
  await endpoint.sample();
  const sample = await endpoint.sample();
  const rows = tables.find(({ columns }) => columns[0] === "families")?.rows ?? [];
  assert.equal(rows.length, 5);
  for (const [list = "", series, values, formula = ""] of rows) {
    const families = list.replaceAll("`", "").split(", ") as Family[];
    const written = points([sample], { families });
    assert.equal(new Set(written.map(seriesOf)).size, Number(series), list);
    assert.equal(
      written.reduce((sum, { fields }) => sum + fields.size, 0),
      Number(values),
      list,
    );
    assert.equal(evaluate(formula, { NICs: 2, disks: 3 }), Number(series), list);
  }
});

test("a restart on a plain host doubles the series of a VM", async (t) => {
  const shape = { nics: 2, disks: 3, seed: 1 };
  const endpoint = await SimulatedEndpoint.start(t, { domains: 1, shape });
  const samples: DomainSample[] = [await endpoint.sample(), await endpoint.sample()];
  const { ref } = endpoint.domain("vm-001");
  endpoint.host.addDomain(new SyntheticDomain(1, shape, { ...ref, id: 2 }));
  samples.push(await endpoint.sample(), await endpoint.sample());
  assert.equal(new Set(points(samples).map(seriesOf)).size, 16);
});

function seriesOf({ measurement, tags }: ReturnType<typeof points>[number]): string {
  return [measurement, ...[...tags].map(([key, value]) => `${key}=${value}`)].join(",");
}

/** `3 + NICs + disks`. */
function evaluate(formula: string, values: Readonly<Record<string, number>>): number {
  return formula
    .replaceAll("`", "")
    .split(" + ")
    .reduce((sum, term) => sum + (values[term] ?? Number(term)), 0);
}

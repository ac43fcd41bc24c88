import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { after, before, test, type TestContext } from "node:test";
import type { DomainSample } from "../../src/collection/domain-sample.ts";
import { docBlocks } from "../support/docs.ts";
import { encode } from "../support/encode.ts";
import { SimulatedEndpoint } from "../support/simulated-endpoint.ts";
import { Influxd1 } from "./support/influxd1.ts";

const MINUTES = 5;
const INTERVAL_MS = 5_000;
const CYCLES = (MINUTES * 60_000) / INTERVAL_MS;

let influx: Influxd1;

before(async () => {
  influx = await Influxd1.start();
});
after(() => influx[Symbol.asyncDispose]());

/** Returns the lines of the last minutes of two simulated KubeVirt VMs. */
async function lines(t: TestContext): Promise<string> {
  const endpoint = await SimulatedEndpoint.start(t, { domains: 2 });
  const begun = Date.now() - CYCLES * INTERVAL_MS;
  const samples: DomainSample[] = [];
  for (let cycle = 0; cycle < CYCLES; cycle++)
    for (const sample of (await endpoint.samples()).values())
      samples.push({
        ...sample,
        timestampMs: begun + cycle * INTERVAL_MS,
        identity: { ...sample.identity, namespace: "shop" },
      });
  return encode(samples, { node: "node-a" }).text;
}

test("InfluxDB answers every query of the pages with data", async (t) => {
  const written = await fetch(`${influx.url}/write?db=${influx.database}`, { method: "POST", body: await lines(t) });
  assert.equal(written.status, 204);
  const queries = globSync("docs/*.md").flatMap((page) =>
    docBlocks(page).flatMap(({ language, text }) => (language === "influxql" ? [text] : [])),
  );
  assert.ok(queries.length >= 8);
  for (const query of queries) {
    const rows = await influx.query(query);
    assert.notEqual(rows.length, 0, query);
    if (query.startsWith("SELECT")) for (const row of rows) assert.ok(!Object.values(row).includes(""), query);
  }
});

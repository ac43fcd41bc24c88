import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { parseLines, type Point } from "../../scripts/demo/line-protocol-parser.ts";
import type { DomainSample } from "../../src/collection/domain-sample.ts";
import type { EffectiveTarget } from "../../src/config/resolve.ts";
import { INFLUX } from "../../src/delivery/influx/influx.ts";
import type { Outcome } from "../../src/delivery/outcome.ts";
import type { Protocol } from "../../src/delivery/protocol.ts";
import type { EncoderOptions } from "../../src/measurement/encoder.ts";
import { DeliveryBench, secret, targetSettings } from "../support/delivery.ts";
import { encode } from "../support/encode.ts";
import { disk, nic, sample } from "../support/samples.ts";
import type { Row } from "./support/csv.ts";
import { Influxd1 } from "./support/influxd1.ts";
import { Influxd2 } from "./support/influxd2.ts";

const SEED = 20_240_229;
/** Encoders with different options, and their samples. */
const ENCODERS = 20;
const SAMPLES = 100;
const DAY_MS = 86_400_000;

/** Texts that are difficult for line protocol, CSV, regular expressions and UTF-8. */
const NASTY = [",", " ", "=", "\\", '"', "#", "\n", "\r", "\t", "\0", "\u007f", "\u2028", "\ufeff", "\ud800", "💥"];
const character = fc.oneof(fc.constantFrom(...NASTY), fc.string({ unit: "grapheme", minLength: 1, maxLength: 1 }));
const text = fc.oneof(
  { weight: 9, arbitrary: fc.string({ unit: character, minLength: 1, maxLength: 12 }) },
  { weight: 1, arbitrary: fc.string({ unit: character, minLength: 100, maxLength: 600 }) },
);
const LIMITS = [0n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n];
const counter = fc.oneof(fc.constantFrom(undefined, ...LIMITS), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));

const options: fc.Arbitrary<Partial<EncoderOptions>> = fc.record({
  onMissing: fc.constantFrom("Zero", "Omit"),
  measurementPrefix: fc.constantFrom("", "kv_", "lab.x/y:z-"),
  node: fc.option(text, { nil: undefined }),
  staticTags: fc.dictionary(fc.constantFrom("site", "Rack_7", "_zone", "z".repeat(64)), text, { maxKeys: 4 }),
});
/** Device names of a domain differ, so these also differ after they are cut and cleaned. */
const devices = fc.array(text, { maxLength: 3 }).map((names) => names.map((name, index) => `${index}${name}`));
const values = fc.record({
  first: counter,
  second: counter,
  third: counter,
  alias: fc.option(text, { nil: undefined }),
});
const domain: fc.Arbitrary<DomainSample> = fc
  .record({
    timestampMs: fc.integer({ min: 0, max: DAY_MS - 1 }).map((ms) => Date.UTC(2024, 1, 29) + ms),
    id: fc.nat(),
    uuid: fc.uuid(),
    name: text,
    namespace: fc.option(text, { nil: undefined }),
    state: fc.option(fc.nat(9), { nil: undefined }),
    nics: devices,
    disks: devices,
    current: counter,
    previous: fc.record({
      current: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      monotonicMs: fc.double({ min: 0, max: 15_001, noNaN: true }),
    }),
    values,
  })
  .map(({ id, uuid, name, namespace, current, values: { first, second, third, alias }, ...rest }) => {
    const plain = sample();
    return {
      ...plain,
      timestampMs: rest.timestampMs,
      identity: { id, uuid, name, ...(namespace !== undefined && { namespace }) },
      state: rest.state,
      cpu: { ...plain.cpu, time: first, user: second },
      memory: { ...plain.memory, current, rss: third, diskCaches: first },
      previous: rest.previous,
      nics: rest.nics.map((device) =>
        nic(device, { rxBytes: first, txDrops: second, ...(alias !== undefined && { network: alias }) }),
      ),
      disks: rest.disks.map((device) =>
        disk(device, { readBytes: second, writeRequests: third, ...(alias !== undefined && { volume: alias }) }),
      ),
    };
  });

interface Server {
  readonly outcomes: Outcome[];
  readonly query: (q: string) => Promise<Row[]>;
}

const resources = new AsyncDisposableStack();
/** By name. */
const servers = new Map<string, Server>();
const bench = resources.use(new DeliveryBench());
let expected: readonly Point[];

before(async () => {
  const influx1 = resources.use(await Influxd1.start());
  const influx2 = resources.use(await Influxd2.start());
  const senders = [
    startSender("InfluxDB 1", influx1, { url: influx1.url, protocol: { version: "v1", database: influx1.database } }),
    startSender("InfluxDB 2", influx2, {
      url: influx2.url,
      protocol: { version: "v2", org: influx2.org, bucket: influx2.bucket },
      credentials: { kind: "token", token: secret(influx2.token) },
    }),
  ];
  const corpus = fc.sample(fc.tuple(options, fc.array(domain, { minLength: SAMPLES, maxLength: SAMPLES })), {
    seed: SEED,
    numRuns: ENCODERS,
  });
  const batches = corpus.map(([of, samples]) => encode(samples, of));
  expected = batches.flatMap(({ text }) => parseLines(text));
  for (const { text, lines } of batches) await bench.append({ lines, bytes: Buffer.from(text) });
  for (const sender of senders)
    assert.ok(await sender.drain(AbortSignal.timeout(120_000)), JSON.stringify(sender.state));
});

after(() => resources.disposeAsync());

function startSender(name: string, influx: Pick<Server, "query">, settings: Partial<EffectiveTarget>) {
  const outcomes: Outcome[] = [];
  const protocol: Protocol = {
    ...INFLUX,
    open: (target, context) => {
      const real = INFLUX.open(target, context);
      return {
        close: () => {
          real.close();
        },
        send: async (request, signal) => {
          const outcome = await real.send(request, signal);
          outcomes.push(outcome);
          return outcome;
        },
      };
    },
  };
  servers.set(name, { outcomes, query: (q) => influx.query(q) });
  return bench.start(targetSettings({ name, ...settings }), { protocolOf: () => protocol });
}

test("the corpus has all kinds of difficult values", () => {
  const domains = new Set(expected.map(({ tags }) => tags.get("uuid")));
  assert.ok(domains.size >= 2_000, `${domains.size} domains`);
  const names = expected.map(({ tags }) => tags.get("name") ?? "").join("");
  const storable = NASTY.filter((char) => !/[\p{Cc}\ud800]/u.test(char));
  for (const char of storable) assert.ok(names.includes(char), JSON.stringify(char));
  const integers = new Set(expected.flatMap(({ fields }) => [...fields.values()]));
  for (const value of [2n ** 53n + 1n, 2n ** 63n - 1n]) assert.ok(integers.has(value), String(value));
});

for (const name of ["InfluxDB 1", "InfluxDB 2"]) {
  test(`${name} accepts every batch of the corpus`, () => {
    const { outcomes } = servers.get(name) ?? { outcomes: [] };
    assert.ok(outcomes.length > 0);
    assert.deepEqual(
      outcomes.filter(({ kind }) => kind !== "delivered"),
      [],
    );
    assert.deepEqual([...bench.log.of("rejected"), ...bench.log.of("failing")], []);
  });

  test(`${name} returns every point with exact tags and integers`, async () => {
    const stored = new Map<string, Row>();
    for (const measurement of new Set(expected.map((point) => point.measurement))) {
      const rows = await servers.get(name)?.query(`SELECT * FROM "${measurement}"`);
      for (const row of rows ?? []) stored.set(pointKey(measurement, row, row["time"]), row);
    }
    assert.equal(stored.size, expected.length);
    for (const { measurement, tags, fields, timestamp } of expected) {
      const row = stored.get(pointKey(measurement, Object.fromEntries(tags), String(timestamp)));
      for (const [key, value] of tags) assert.equal(row?.[key], value, key);
      for (const [key, value] of fields)
        // The server may write a float in another form; an integer is compared as text.
        if (typeof value === "number") assert.equal(Number(row?.[key]), value, key);
        else assert.equal(row?.[key], String(value), key);
    }
  });
}

function pointKey(measurement: string, { uuid, devtype = "", device = "" }: Row, time: string | undefined): string {
  return JSON.stringify([measurement, uuid, devtype, device, time]);
}

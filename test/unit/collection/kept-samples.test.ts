import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DISK_COUNTERS, NIC_COUNTERS } from "../../../src/contract.ts";
import type { DiskSample, DomainSample, NicSample } from "../../../src/collection/domain-sample.ts";
import { KeptSamples } from "../../../src/collection/kept-samples.ts";
import { sample } from "../../support/samples.ts";

const counter = fc.option(
  fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.constantFrom(0n, 2n ** 53n + 1n, 2n ** 64n - 1n)),
  { nil: undefined },
);
const number = fc.option(fc.nat(), { nil: undefined });
const name = fc.string({ minLength: 1, maxLength: 5 });

/** These counters, some of them missing. */
function counters<Name extends string>(names: readonly Name[]): fc.Arbitrary<Record<Name, bigint | undefined>> {
  return fc
    .array(counter, { minLength: names.length, maxLength: names.length })
    .map((values) => Object.fromEntries(names.map((key, index) => [key, values[index]])))
    .map((values) => values as Record<Name, bigint | undefined>);
}

function namesOf<Table extends object>(table: Table): readonly (keyof Table & string)[] {
  return Object.keys(table) as (keyof Table & string)[];
}

const devices = <Device>(one: fc.Arbitrary<Device>): fc.Arbitrary<readonly Device[] | undefined> =>
  fc.option(fc.array(one, { maxLength: 4 }), { nil: undefined });
const nics = devices(
  fc.record({ device: name, values: counters(namesOf(NIC_COUNTERS)), network: fc.option(name, { nil: undefined }) }),
).map((all) =>
  all?.map(({ device, values, network }): NicSample => ({
    device,
    ...(network !== undefined && { network }),
    ...values,
  })),
);
const disks = devices(
  fc.record({ device: name, values: counters(namesOf(DISK_COUNTERS)), volume: fc.option(name, { nil: undefined }) }),
).map((all) =>
  all?.map(({ device, values, volume }): DiskSample => ({
    device,
    ...(volume !== undefined && { volume }),
    ...values,
  })),
);
const CPU = ["time", "user", "system"] as const;
const MEMORY = [
  ...(["maximum", "current", "rss", "available", "usable"] as const),
  ...(["swapIn", "swapOut", "majorFault", "minorFault", "diskCaches"] as const),
];
const samples: fc.Arbitrary<DomainSample> = fc
  .record({
    timestampMs: fc.nat(),
    identity: fc.record({ id: fc.nat(), uuid: name, name }),
    state: number,
    cpu: fc.tuple(number, counters(CPU)).map(([count, values]) => ({ ...values, count })),
    memory: fc.tuple(fc.double({ min: 0, max: 1e9, noNaN: true }), counters(MEMORY)).map(([monotonicMs, values]) => ({
      ...values,
      monotonicMs,
    })),
    nics,
    disks,
    previous: fc.option(
      fc.record(
        { current: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), monotonicMs: fc.nat() },
        { noNullPrototype: true },
      ),
      { nil: undefined },
    ),
    readings: fc.option(fc.constant(new Map()), { nil: undefined }),
  })
  .map(({ readings, ...rest }) => ({ ...rest, ...(readings !== undefined && { readings }) }));

test("kept samples are the recorded ones, whatever was recorded before", () => {
  fc.assert(
    fc.property(fc.array(fc.array(samples, { maxLength: 6 }), { minLength: 1, maxLength: 5 }), (cycles) => {
      const kept = new KeptSamples();
      for (const cycle of cycles) {
        kept.record(cycle);
        assert.equal(kept.size, cycle.length);
        assert.deepEqual(kept.samples, cycle);
        assert.equal(kept.samples, kept.samples);
      }
    }),
    { numRuns: 200 },
  );
});

test("samples are of the same domains if no identity is another object", () => {
  const [one, other] = [sample(), sample()];
  const kept = new KeptSamples([one, other]);
  assert.ok(kept.isOfDomains([{ ...one, state: 3 }, other]));
  assert.ok(!kept.isOfDomains([other, one]));
  assert.ok(!kept.isOfDomains([one]));
});

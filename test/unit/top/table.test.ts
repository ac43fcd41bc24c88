import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import type { DomainLoad } from "../../../src/collection/domain-load.ts";
import { displayWidth } from "../../../src/lib/display-text.ts";
import { sortDomains, SORT_KEYS, type ShownFamily } from "../../../src/top/columns.ts";
import { screenLines } from "../../../src/top/live-view.ts";
import { domainTable } from "../../../src/top/table.ts";
import { overview } from "../../support/domains.ts";
import { sample } from "../../support/samples.ts";
import { assertPrintable, HUGE, NASTY } from "../../support/nasty-texts.ts";

const NO_LOAD: DomainLoad = {
  cpuPercent: 0,
  diskReads: 0,
  diskReadBytes: 0,
  diskWrites: 0,
  diskWriteBytes: 0,
  netReceivedBytes: 0,
  netSentBytes: 0,
};
const memory = (rss: bigint | undefined) => sample({ memory: { ...sample().memory, rss } });

const DOMAINS = [
  overview("shop/web-1", { load: { ...NO_LOAD, cpuPercent: 183.4, diskReads: 796, diskReadBytes: 13_002_342 } }),
  overview("shop/web-2", { load: { ...NO_LOAD, netReceivedBytes: 5e9, netSentBytes: 1e6 } }),
  overview("shop/database-of-the-orders", { load: { ...NO_LOAD, cpuPercent: 12.25 }, sample: memory(8_388_608n) }),
  overview("batch/hung", { load: { ...NO_LOAD, diskReads: undefined, diskReadBytes: undefined }, stuck: true }),
  overview("batch/new", { sample: memory(undefined) }),
];

test("the table matches the golden file at several widths", () => {
  const widths = [Infinity, 120, 100, 80, 60, 40, 20, 8];
  const text = widths.map((width) => {
    const { header, rows } = domainTable(DOMAINS, width);
    return [`# ${width} columns`, header, ...rows, ""].join("\n");
  });
  assert.equal(text.join("\n"), readFileSync("test/golden/top/table.txt", "utf8"));
});

test("the table has the columns of a family that is named, and no other", () => {
  const latest = <Value>(value: Value) => ({ value, atMs: 0 });
  const details = {
    reason: latest("io-error"),
    usedPercent: latest(81.25),
    stealPercent: { ...latest(12), delayNs: 0n, vcpus: 1 },
    latencyUs: latest(1234),
  };
  const domains = [overview("shop/web", { details }), overview("shop/new")];
  const table = (...families: readonly ShownFamily[]): readonly string[] => {
    const { header, rows } = domainTable(domains, Infinity, families);
    return [header, ...rows].map((line) => line.replaceAll(/ +/g, " "));
  };
  assert.doesNotMatch(table().join(), /WHY|STEAL|USED|LAT/);
  assert.deepEqual(
    table("Status", "Memory", "Vcpus", "Disks").map((line) => line.split(" ").slice(0, 10).join(" ")),
    [
      "VM STATE WHY VCPU CPU% STEAL% MEM RSS USED% LAT",
      "shop/web running io-error 2 - 12.0 768M 391M 81.3 1.23",
      "shop/new running 2 - - 768M 391M - - -",
    ],
  );
  assert.match(table("Memory")[0] ?? "", /USED%/);
  assert.doesNotMatch(table("Memory")[0] ?? "", /WHY|STEAL|LAT/);
});

test("the screen matches the golden file, with the faults above the table", () => {
  const snapshot = {
    domains: DOMAINS,
    endpoints: 7,
    faults: ["/a: E_X: one?[2J", "/b: E_Y: two", "three", "four"],
    complete: true,
    missing: [],
  };
  const text = [
    { columns: 80, rows: 14 },
    { columns: 60, rows: 11 },
  ].map((size) => `${screenLines(snapshot, "cpu", 2_000, size).join("\n")}\n`);
  assert.equal(text.join("\n"), readFileSync("test/golden/top/screen.txt", "utf8"));
});

test("the name of a VM is one printable line", () => {
  const { rows } = domainTable([overview(`shop/${NASTY}`), overview(HUGE)], 80);
  for (const row of rows) assertPrintable(row, 80, "a row");
  assert.match(rows.join(" "), /shop\/x\?\[2J/);
});

test("no line is wider than the terminal, and no screen is higher", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 50 }), (columns, rows) => {
      const lines = screenLines(
        { domains: DOMAINS, endpoints: 1, faults: ["x"], complete: true, missing: [] },
        "cpu",
        2_000,
        { columns, rows },
      );
      for (const line of lines) assert.ok(displayWidth(line.replaceAll(/\x1b\[\d+m/g, "")) <= columns);
      assert.ok(lines.length <= Math.max(rows, 5));
    }),
  );
});

test("each sort key puts the greatest value first and unknown values last", () => {
  const firstAndLast = Object.fromEntries(
    SORT_KEYS.map((key) => {
      const labels = sortDomains(DOMAINS, key).map(({ label }) => label);
      return [key, [labels[0], labels.at(-1)]];
    }),
  );
  assert.deepEqual(firstAndLast, {
    cpu: ["shop/web-1", "batch/new"],
    memory: ["shop/database-of-the-orders", "shop/web-2"],
    disk: ["shop/web-1", "batch/new"],
    network: ["shop/web-2", "batch/new"],
    name: ["batch/hung", "shop/web-2"],
  });
});

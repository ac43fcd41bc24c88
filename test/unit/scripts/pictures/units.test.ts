import assert from "node:assert/strict";
import { test } from "node:test";
import { formatValue } from "../../../../scripts/pictures/units.ts";

const TEXTS: readonly (readonly [value: number, unit: string, decimals: number | undefined, text: string])[] = [
  [0, "none", undefined, "0"],
  [1234.6, "none", undefined, "1235"],
  [0.01234, "none", undefined, "0.0123"],
  [3, "none", 2, "3.00"],
  [12.345, "percent", undefined, "12.3%"],
  [0.5, "percentunit", undefined, "50%"],
  [1536, "bytes", undefined, "1.5 KiB"],
  [512, "binBps", undefined, "512 B/s"],
  [5 * 1024 ** 3, "binBps", undefined, "5 GiB/s"],
  [12_345, "pps", undefined, "12.3 K p/s"],
  [42, "iops", undefined, "42 io/s"],
  [1.5, "suffix:cores", undefined, "1.5 cores"],
  [250, "µs", undefined, "250 µs"],
  [4_100, "µs", undefined, "4.1 ms"],
  [90, "s", undefined, "1.5 min"],
  [10_800, "s", undefined, "3 h"],
  [-2048, "bytes", undefined, "-2 KiB"],
];

for (const [value, unit, decimals, text] of TEXTS)
  test(`${value} in the unit ${unit} is ${text}`, () => {
    assert.equal(formatValue(value, unit, decimals), text);
  });

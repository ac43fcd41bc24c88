import assert from "node:assert/strict";
import { test } from "node:test";
import { sparkline } from "../../../src/observability/sparkline.ts";

function draw(values: readonly number[], least = 0): string | undefined {
  const format = (value: number): string => `${value} %`;
  return sparkline(Float32Array.from(values), { name: "CPU", least, format })?.text;
}

function pathOf(values: readonly number[], least?: number): string | undefined {
  return / d="([^"]*)"/.exec(draw(values, least) ?? "")?.[1];
}

test("a line goes from zero at the bottom to the highest value at the top", () => {
  assert.equal(pathOf([0, 50, 100]), "M0 30l0 0 1 -14 1 -14");
});

test("a missing value is a gap, and a value between two gaps is a dot", () => {
  assert.equal(pathOf([NaN, 100, NaN, 100, 100]), "M1 2l0 0M3 2l0 0 1 0");
});

test("small values stay low, so that an idle VM looks idle", () => {
  assert.equal(pathOf([1, 2], 100), "M0 30l0 0 1 -1");
});

test("the title has the last and the highest value", () => {
  assert.match(draw([7, 3]) ?? "", /<title>CPU: 3 %, at most 7 % in 2 cycles<\/title>/);
  assert.match(draw([7, NaN]) ?? "", /<title>CPU: no value, at most 7 % in 2 cycles<\/title>/);
});

test("without a value nothing is drawn", () => {
  assert.equal(draw([NaN, NaN]), undefined);
  assert.equal(sparkline(undefined, { name: "CPU", least: 0, format: String }), undefined);
});

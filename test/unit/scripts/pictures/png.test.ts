import assert from "node:assert/strict";
import { globSync, readFileSync, statSync } from "node:fs";
import { crc32, deflateSync, inflateSync } from "node:zlib";
import { test } from "node:test";
import { withPalette } from "../../../../scripts/pictures/png.ts";

const SIGNATURE = Buffer.from("89504e470d0a1a0a", "hex");

/** Returns a PNG of `width` pixels a row, three bytes each; every row begins with the number of its filter. */
function png(width: number, height: number, rows: Buffer): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const chunks = [["IHDR", header] as const, ["IDAT", deflateSync(rows)] as const, ["IEND", Buffer.alloc(0)] as const];
  return Buffer.concat([
    SIGNATURE,
    ...chunks.map(([type, body]) => {
      const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
      length.writeUInt32BE(body.length);
      const content = Buffer.concat([Buffer.from(type), body]);
      sum.writeUInt32BE(crc32(content));
      return Buffer.concat([length, content, sum]);
    }),
  ]);
}

/** Returns the colours of an indexed PNG, row by row, as hexadecimal numbers. */
function colors(file: Buffer, width: number): string[] {
  const body = (type: string): Buffer => {
    const at = file.indexOf(type, 0, "latin1");
    return file.subarray(at + 4, at + 4 + file.readUInt32BE(at - 4));
  };
  const [palette, rows] = [body("PLTE"), inflateSync(body("IDAT"))];
  return [...rows]
    .filter((_, at) => at % (width + 1) !== 0)
    .map((index) => palette.toString("hex", 3 * index, 3 * index + 3));
}

test("every filter of a screenshot's rows is undone", () => {
  // Each row is the same three pixels, written with another filter.
  const rows = Buffer.from([
    ...[0, 10, 20, 30, 40, 60, 90, 40, 60, 90],
    ...[1, 10, 20, 30, 30, 40, 60, 0, 0, 0],
    ...[2, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ...[3, 5, 10, 15, 15, 20, 30, 0, 0, 0],
    ...[4, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  ]);
  const row = ["0a141e", "283c5a", "283c5a"];
  assert.deepEqual(colors(withPalette(png(3, 5, rows)), 3), [row, row, row, row, row].flat());
});

test("a rare colour becomes the most similar frequent one", () => {
  const frequent = Array.from({ length: 64 }, (_, index) => [index * 4, 0, 0]);
  const rows = Buffer.from([0, ...[...frequent, ...frequent, [9, 0, 0]].flat()]);
  const found = colors(withPalette(png(129, 1, rows)), 129);
  assert.equal(new Set(found).size, 64);
  assert.equal(found.at(-1), "080000");
});

test("a file that is not a screenshot is an error", () => {
  assert.throws(() => withPalette(Buffer.from("GIF89a")), /not a PNG/);
});

test("the pictures of dashboards are small", () => {
  const pictures = globSync("docs/images/dashboard*.png");
  assert.equal(pictures.length, 8);
  for (const picture of pictures) assert.ok(statSync(picture).size < 150_000, picture);
  for (const picture of pictures) assert.ok(readFileSync(picture).subarray(0, 8).equals(SIGNATURE), picture);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LINE_KINDS } from "../../../../src/delivery/influx/line-kinds.ts";
import { codePoint } from "../../../support/code-point.ts";

function kindsOf(line: string): readonly string[] {
  return LINE_KINDS.map((kindOf) => kindOf(Buffer.from(line)));
}

test("the first kind is the table and its fields with their types, the second the names of the tags", () => {
  assert.deepEqual(kindsOf('vm\\,x,name=a\\ b,VMID=1 cpu=1i,load=0.5,up=true,s="a, b=1i \\"",n=7u 17'), [
    "vm\\,x,cpu=i,load=f,up=b,s=s,n=u",
    "name,VMID",
  ]);
  assert.deepEqual(kindsOf("m f=-1e9\n"), ["m,f=f", ""]);
});

test("lines that differ only in values are of one kind, others are not", () => {
  const line = "m,a=1 x=1i,y=2 17";
  for (const same of ["m,a=2 x=-99i,y=2.5e9 18", "m,a=\\=\\, x=0i,y=-1"])
    assert.deepEqual(kindsOf(same), kindsOf(line));
  for (const other of [
    "n,a=1 x=1i,y=2 17",
    "m,a=1 x=1,y=2 17",
    "m,a=1 x=1i 17",
    "m,a=1 x=1i,y=t 17",
    'm,a=1 x=1i,y="2" 17',
  ])
    assert.notEqual(kindsOf(other)[0], kindsOf(line)[0], other);
  assert.notEqual(kindsOf("m,b=1 x=1i,y=2 17")[1], kindsOf(line)[1]);
});

test("any text has kinds, in linear time", () => {
  fc.assert(
    fc.property(fc.string({ unit: codePoint }), (text) => {
      assert.equal(kindsOf(text).length, 2);
    }),
  );
  for (const piece of ["a", "\\", "=", ",", '"', " ", 'a="', ",a"]) {
    const before = performance.now();
    kindsOf(`m ${piece.repeat(1 << 18)}`);
    kindsOf(piece.repeat(1 << 18));
    assert.ok(performance.now() - before < 5_000, piece);
  }
});

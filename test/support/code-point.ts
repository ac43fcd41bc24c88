import fc from "fast-check";

const LAST = 0x10ffff;
const FIRST_SURROGATE = 0xd800;
const SURROGATES = 0x800;

/**
 * Generates any code point except surrogates, for `fc.string({ unit: codePoint })`. It has the values of the unit "binary" of
 * fast-check, which spends a second in every process on a table of all 1,112,064 code points.
 */
export const codePoint = fc.nat(LAST - SURROGATES).map(
  (index) => String.fromCodePoint(index < FIRST_SURROGATE ? index : index + SURROGATES),
  (text) => {
    const point = typeof text === "string" ? text.codePointAt(0) : undefined;
    if (point === undefined || String.fromCodePoint(point) !== text || !text.isWellFormed())
      throw new Error("not one code point");
    return point < FIRST_SURROGATE ? point : point - SURROGATES;
  },
);

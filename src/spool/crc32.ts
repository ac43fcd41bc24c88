/** The polynomial of CRC-32 with its bits reversed: bit 31 is the factor of x^0. */
const POLYNOMIAL = 0xedb88320;
const ONE = 0x80000000;
/** POWERS[n] is x^(8 * 2^n) modulo the polynomial: the effect of 2^n zero bytes on a CRC. */
const POWERS = powers();

/**
 * Returns the CRC-32 of two texts in a row from the CRC-32 of each, without reading them. `secondBytes` is the length of the
 * second text.
 */
export function combineCrc32(first: number, second: number, secondBytes: number): number {
  let shift = ONE;
  for (let bytes = secondBytes, n = 0; bytes > 0; bytes = Math.floor(bytes / 2), n++)
    if (bytes % 2 === 1) shift = multiply(shift, POWERS[n] ?? 0);
  return (multiply(first, shift) ^ second) >>> 0;
}

/** Returns the product of two polynomials over GF(2), modulo the polynomial. */
function multiply(a: number, b: number): number {
  let product = 0;
  for (let bit = ONE, factor = b; bit !== 0; bit >>>= 1) {
    if ((a & bit) !== 0) product ^= factor;
    factor = (factor & 1) === 0 ? factor >>> 1 : (factor >>> 1) ^ POLYNOMIAL;
  }
  return product >>> 0;
}

/** 53 powers are enough for every length that a number can hold. */
function powers(): readonly number[] {
  const x = 0x40000000;
  let power = x;
  for (let n = 0; n < 3; n++) power = multiply(power, power);
  return Array.from({ length: 53 }, () => {
    const current = power;
    power = multiply(power, power);
    return current;
  });
}

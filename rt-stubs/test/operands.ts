// Operands that find mistakes in soft arithmetic: random bits, special numbers, neighbours, few-bit fractions, close
// exponents. Takes a seed; gives words. Knows no function under test.

/** A small generator (xorshift32) whose sequence is part of the tests. */
export class Random {
  constructor(private state: number) {}
  next(): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x;
    return Math.imul(x, 0x9e3779b1) >>> 0;
  }
  below(n: number): number {
    return this.next() % n;
  }
}

const SPECIAL_F64_HIGH = [
  0, 1, 0xfffff, 0x100000, 0x1fffff, 0x3fdfffff, 0x3fe00000, 0x3fefffff, 0x3ff00000, 0x3ff80000, 0x40000000, 0x40040000,
  0x41dfffff, 0x41e00000, 0x41efffff, 0x41f00000, 0x432fffff, 0x43300000, 0x43400000, 0x43dfffff, 0x43e00000,
  0x43efffff, 0x43f00000, 0x7fe00000, 0x7fefffff, 0x7ff00000, 0x7ff80000, 0x7fffffff, 0x36a00000, 0x36900000,
  0x380fffff, 0x38100000, 0x47efffff, 0x47f00000,
];
const SPECIAL_LOW = [0, 0, 0, 1, 2, 0xffffffff, 0xfffffffe, 0x80000000, 0x7fffffff, 0xffc00000, 0xffe00000, 0xe0000000];
const SPECIAL_F32 = [
  0, 1, 2, 0x7fffff, 0x800000, 0x800001, 0x3f800000, 0x3f7fffff, 0x3f000000, 0x3effffff, 0x3f000001, 0x3fc00000,
  0x40200000, 0x4b000000, 0x4affffff, 0x4b800000, 0x4effffff, 0x4f000000, 0x4f7fffff, 0x4f800000, 0x5effffff,
  0x5f000000, 0x5f7fffff, 0x5f800000, 0x7f000000, 0x7f7fffff, 0x7f800000, 0x7f800001, 0x7fc00000, 0x7fffffff,
];

/** [low, high] of an f64, sometimes related to `other`. */
export function f64Operand(random: Random, other: readonly [number, number]): [number, number] {
  const sign = random.next() & 0x80000000;
  const low = random.next();
  const fraction = random.next() & 0xfffff;
  switch (random.below(8)) {
    case 0:
      return [
        SPECIAL_LOW[random.below(SPECIAL_LOW.length)]!,
        (SPECIAL_F64_HIGH[random.below(SPECIAL_F64_HIGH.length)]! | sign) >>> 0,
      ];
    case 1:
      return [(other[0] + random.below(5) - 2) >>> 0, (other[1] ^ sign) >>> 0];
    case 2:
      return [other[0], ((other[1] & 0xfffff) | ((953 + random.below(140)) << 20) | sign) >>> 0];
    case 3: {
      const cleared = random.below(53);
      const keepLow = cleared >= 32 ? 0 : -1 << cleared;
      const keepHigh = cleared <= 32 ? -1 : -1 << (cleared - 32);
      return [(low & keepLow) >>> 0, ((fraction & keepHigh) | ((958 + random.below(130)) << 20) | sign) >>> 0];
    }
    case 4:
      return [low, (fraction | (random.below(60) << 20) | sign) >>> 0];
    case 5:
      return [low, (fraction | ((1022 + random.below(66)) << 20) | sign) >>> 0];
    default:
      return [low, random.next()];
  }
}

export function f32Operand(random: Random, other: number): number {
  const sign = random.next() & 0x80000000;
  const fraction = random.next() & 0x7fffff;
  switch (random.below(8)) {
    case 0:
      return (SPECIAL_F32[random.below(SPECIAL_F32.length)]! | sign) >>> 0;
    case 1:
      return ((other ^ sign) + random.below(5) - 2) >>> 0;
    case 2:
      return ((other & 0x7fffff) | ((92 + random.below(70)) << 23) | sign) >>> 0;
    case 3:
      return ((fraction & (-1 << random.below(24))) | ((92 + random.below(70)) << 23) | sign) >>> 0;
    case 4:
      return (fraction | (random.below(30) << 23) | sign) >>> 0;
    default:
      return random.next();
  }
}

/** [low, high] of an i64 with interesting sizes. */
export function i64Operand(random: Random): [number, number] {
  const low = random.next();
  const high = random.next();
  switch (random.below(7)) {
    case 0:
      return [low, 0];
    case 1:
      return [low & 0xffff, 0];
    case 2: {
      const bit = (1n << BigInt(random.below(64))) + BigInt(random.below(5) - 2);
      const wrapped = BigInt.asUintN(64, bit);
      return [Number(wrapped & 0xffffffffn), Number(wrapped >> 32n)];
    }
    case 3:
      return [low, high >>> random.below(32)];
    case 4:
      return [low >>> 0, (-1 << random.below(32)) >>> 0];
    case 5:
      return [0xffffffff, high];
    default:
      return [low, high];
  }
}

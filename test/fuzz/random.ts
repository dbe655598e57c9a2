// A seeded random number generator (mulberry32) with the draws that generators need. Same seed, same sequence.

export class Random {
  private state: number;
  constructor(readonly seed: number) {
    this.state = seed >>> 0;
  }
  /** Unsigned 32-bit. */
  u32(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }
  /** 0 .. n-1 */
  below(n: number): number {
    return Math.floor((this.u32() / 0x1_0000_0000) * n);
  }
  /** min .. max inclusive */
  between(min: number, max: number): number {
    return min + this.below(max - min + 1);
  }
  chance(probability: number): boolean {
    return this.u32() < probability * 0x1_0000_0000;
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
  /** Values near the edges of the 32-bit range as often as plain ones. */
  interestingI32(): number {
    switch (this.below(6)) {
      case 0:
        return this.pick([
          0, 1, -1, 2, -2, 31, 32, 33, 63, 64, 127, 128, -128, 255, 256, 32767, 32768, -32768, 65535, 65536,
        ]);
      case 1:
        return this.pick([
          0x7fffffff, -0x80000000, 0x7ffffffe, -0x7fffffff, 0x55555555, -0x55555556, 2047, -2048, 2048, 4096,
        ]);
      case 2:
        return (1 << this.below(32)) - this.below(3);
      case 3:
        return this.between(-64, 64);
      default:
        return this.u32() | 0;
    }
  }
  interestingI64(): bigint {
    switch (this.below(4)) {
      case 0:
        return BigInt(this.interestingI32());
      case 1:
        return BigInt.asIntN(64, (1n << BigInt(this.below(64))) - BigInt(this.below(3)));
      case 2:
        return this.pick([
          0x7fffffffffffffffn,
          -0x8000000000000000n,
          0xffffffffn,
          0x100000000n,
          -0x100000000n,
          0x80000000n,
        ]);
      default:
        return BigInt.asIntN(64, (BigInt(this.u32()) << 32n) | BigInt(this.u32()));
    }
  }
  /** f32 bits; NaNs are canonical. */
  interestingF32Bits(): number {
    const bits = this.chance(0.6)
      ? this.pick([
          0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 1, 0x007fffff, 0x00800000,
          0x7f7fffff, 0x3f000000, 0x40490fdb, 0x4f000000, 0xcf000000, 0x4f800000, 0x5f000000, 0xdf000000, 0x4effffff,
          0x3effffff, 0x4b000000, 0x4b800000, 0x42c80000, 0xc2c80000,
        ])
      : this.u32();
    return (bits & 0x7fffffff) > 0x7f800000 ? 0x7fc00000 : bits >>> 0;
  }
  /** f64 bits; NaNs are canonical. */
  interestingF64Bits(): bigint {
    const bits = this.chance(0.6)
      ? this.pick([
          0n,
          0x8000000000000000n,
          0x3ff0000000000000n,
          0xbff0000000000000n,
          0x7ff0000000000000n,
          0xfff0000000000000n,
          0x7ff8000000000000n,
          1n,
          0x000fffffffffffffn,
          0x0010000000000000n,
          0x7fefffffffffffffn,
          0x3fe0000000000000n,
          0x400921fb54442d18n,
          0x41e0000000000000n,
          0xc1e0000000200000n,
          0x43e0000000000000n,
          0xc3e0000000000000n,
          0x41efffffffe00000n,
          0x4330000000000000n,
          0x47efffffe0000000n,
          0x47efffffefffffffn,
          0x36a0000000000000n,
        ])
      : (BigInt(this.u32()) << 32n) | BigInt(this.u32());
    return (bits & 0x7fffffffffffffffn) > 0x7ff0000000000000n ? 0x7ff8000000000000n : bits;
  }
}

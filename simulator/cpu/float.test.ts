import { describe, expect, it } from 'vitest';
import { DATA, load } from '../test-support.js';
import { bitsOf, directed, floatOf, fusedMultiplyAdd, roundToInt, truncToUint } from './float.js';
import {
  divideEstimate,
  makeDivideAdjust,
  makeRootAdjust,
  normalizeExponent01,
  reciprocalEstimate,
  reciprocalRootEstimate,
  rootEstimate,
} from './float-steps.js';

const NAN = 0x7fc00000;
const INF = 0x7f800000;
const hex = (bits: number): string => (bits >>> 0).toString(16).padStart(8, '0');

/** Runs `source` with f1, f2, f3 set to bit patterns; gives f0's. */
function runner(source: string, setup = ''): (...bits: number[]) => number {
  const program = load(`${setup}; start: ${source}\nend: nop`);
  return (...bits) => {
    bits.forEach((value, i) => (program.machine.state.frBits[1 + i] = value));
    program.machine.pc = program.label('start');
    program.machine.run({ until: program.label('end') });
    return (program.machine.state.frBits[0] as number) >>> 0;
  };
}

const SPECIALS = [
  0,
  0x80000000,
  1,
  0x80000001,
  0x7fffff,
  0x800000,
  0x3f800000,
  0xbf800000,
  0x3f800001,
  0x40490fdb,
  0x7f7fffff,
  0xff7fffff,
  INF,
  0xff800000,
  NAN,
  0x7f800001,
  0xffc12345,
  0x34000000,
  0x00ffffff,
  0x4b800001,
];

/** A repeatable generator of bit patterns (xorshift). */
function generator(seed: number): () => number {
  let x = seed;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}

describe('arithmetic', () => {
  it('propagates the last NaN operand with its quiet bit set, and makes 7fc00000', () => {
    const add = runner('add.s f0, f1, f2');
    expect(hex(add(0x7f812345, 0x3f800000))).toBe('7fc12345');
    expect(hex(add(0x3f800000, 0xff812345))).toBe('ffc12345');
    expect(hex(add(0x7fc00001, 0x7fc00002))).toBe('7fc00002');
    expect(hex(add(INF, 0xff800000))).toBe('7fc00000');
    expect(hex(runner('mul.s f0, f1, f2')(0, INF))).toBe('7fc00000');
  });
  it('keeps subnormals and signed zeros', () => {
    expect(runner('add.s f0, f1, f2')(1, 1)).toBe(2);
    expect(hex(runner('mul.s f0, f1, f2')(0x80000000, 0x3f800000))).toBe('80000000');
    expect(runner('sub.s f0, f1, f2')(0x3f800000, 0x3f800000)).toBe(0);
    expect(runner('mul.s f0, f1, f2')(0x00800000, 0x3f000000)).toBe(0x00400000);
  });
  it('moves signalling NaNs untouched', () => {
    for (const source of ['mov.s f0, f1', 'rfr a2, f1; wfr f0, a2', 'ssi f1, a1, 0; lsi f0, a1, 0']) {
      expect(hex(runner(source)(0x7f812345))).toBe('7f812345');
    }
    expect(hex(runner('neg.s f0, f1')(0x7f812345))).toBe('ff812345');
    expect(hex(runner('abs.s f0, f1')(0xff812345))).toBe('7f812345');
  });
});

describe('fused multiply-add', () => {
  /** Exact sum by big integers, rounded to nearest even: an independent second opinion for finite results. */
  function exact(d: number, a: number, b: number): number {
    const parts = (bits: number): [bigint, number] => {
      const exponent = (bits >>> 23) & 255;
      const fraction = BigInt(bits & 0x7fffff) | (exponent === 0 ? 0n : 0x800000n);
      return [bits >>> 31 === 1 ? -fraction : fraction, Math.max(exponent, 1) - 150];
    };
    const [md, ed] = parts(d);
    const [ma, ea] = parts(a);
    const [mb, eb] = parts(b);
    const least = Math.min(ed, ea + eb);
    const sum = (md << BigInt(ed - least)) + ((ma * mb) << BigInt(ea + eb - least));
    if (sum === 0n) return NaN;
    let magnitude = sum < 0n ? -sum : sum;
    let exponent = least;
    const bits = magnitude.toString(2).length;
    const drop = Math.max(bits - 24, -149 - exponent);
    if (drop > 0) {
      const half = 1n << BigInt(drop - 1);
      const low = magnitude & ((1n << BigInt(drop)) - 1n);
      magnitude >>= BigInt(drop);
      exponent += drop;
      if (low > half || (low === half && (magnitude & 1n) === 1n)) magnitude += 1n;
    }
    const value = Number(magnitude) * 2 ** exponent;
    return bitsOf(sum < 0n ? -value : value) >>> 0;
  }

  it('rounds once, in helpers and in code', () => {
    const next = generator(12345);
    const madd = runner('mov.s f0, f3; madd.s f0, f1, f2');
    for (let i = 0; i < 3000; i++) {
      // Exponents close together, so that rounding and cancellation happen.
      const operand = (spread: number, base: number): number =>
        ((next() & 0x807fffff) | ((base + (next() % spread)) << 23)) >>> 0;
      const low = i % 3 === 0;
      const a = operand(20, low ? 60 : 118);
      const b = operand(20, low ? 60 : 118);
      const d = operand(30, low ? 0 : 100);
      const expected = exact(d, a, b);
      if (Number.isNaN(expected)) continue;
      expect(hex(fusedMultiplyAdd(d | 0, a | 0, b | 0, false))).toBe(hex(expected));
      if (i < 500) expect(hex(madd(a, b, d))).toBe(hex(expected));
    }
  });
  it('rounds a product that lies just beside a tie', () => {
    // 1 + 2^-24 * (1 - 2^-24): below the tie, so down; in doubles it would round to the tie and then to even.
    const tiny = bitsOf(1 - 2 ** -24) | 0;
    expect(hex(fusedMultiplyAdd(0x3f800001, bitsOf(2 ** -24), tiny, false))).toBe('3f800001');
  });
  it('prefers the accumulator among NaNs', () => {
    const madd = runner('mov.s f0, f3; madd.s f0, f1, f2');
    expect(hex(madd(0x7fc00001, 0x7fc00002, 0x7f800003))).toBe('7fc00003');
    expect(hex(madd(0x7fc00001, 0x7fc00002, 0))).toBe('7fc00002');
    expect(hex(madd(0, INF, 0x3f800000))).toBe('7fc00000');
    expect(hex(runner('mov.s f0, f3; msub.s f0, f1, f2')(0x40000000, 0x40400000, 0x3f800000))).toBe(hex(bitsOf(-5)));
  });
});

describe('rounding modes', () => {
  const set = (mode: number): string => `movi a8, ${mode}; wur a8, fcr`;
  it('add.s honours FCR', () => {
    const third = bitsOf(1 / 3);
    const results = [0, 1, 2, 3].map((mode) => {
      const program = load(`${set(mode)}; add.s f0, f1, f2\nend: nop`);
      program.machine.state.frBits[1] = 0x3f800000;
      program.machine.state.frBits[2] = bitsOf(2 ** -24 * 0.75);
      program.machine.run({ until: program.label('end') });
      return program.machine.state.frBits[0];
    });
    expect(results).toEqual([0x3f800000, 0x3f800000, 0x3f800001, 0x3f800000]);
    expect(directed('*', third, third, 2)).toBe(directed('*', third, third, 1) + 1);
  });
  it('directed results bracket the nearest one', () => {
    const next = generator(99);
    for (let i = 0; i < 20000; i++) {
      const a = next() | 0;
      const b = next() | 0;
      for (const operator of ['+', '-', '*'] as const) {
        const x = floatOf(a);
        const y = floatOf(b);
        const exact = operator === '+' ? x + y : operator === '-' ? x - y : x * y;
        if (!Number.isFinite(exact) || Math.abs(exact) > 3e38) continue;
        const up = floatOf(directed(operator, a, b, 2));
        const down = floatOf(directed(operator, a, b, 3));
        const nearest = Math.fround(exact);
        expect(down <= exact && exact <= up && (nearest === up || nearest === down)).toBe(true);
      }
    }
  });
  it('an exact zero sum is -0 only when rounding down', () => {
    expect(directed('-', 0x3f800000, 0x3f800000, 3)).toBe(0x80000000 | 0);
    expect(directed('-', 0x3f800000, 0x3f800000, 1)).toBe(0);
    expect(directed('+', 0x80000000 | 0, 0x80000000 | 0, 2)).toBe(0x80000000 | 0);
  });
  it('overflow goes to the largest number when rounding towards zero', () => {
    expect(hex(directed('*', 0x7f7fffff, 0x7f7fffff, 1))).toBe('7f7fffff');
    expect(hex(directed('*', 0x7f7fffff, 0x7f7fffff, 2))).toBe('7f800000');
  });
});

describe('conversions', () => {
  it('round.s breaks ties to even; all saturate; NaN gives 7fffffff', () => {
    expect([0.5, 1.5, 2.5, -0.5, -1.5, 0.49999997].map((v) => roundToInt(bitsOf(v), 0))).toEqual(
      [0, 2, 2, -0, -2, 0].map((v) => v | 0),
    );
    const convert = (name: string, bits: number): number => {
      const program = load(`${name} a2, f1, 0\nend: nop`);
      program.machine.state.frBits[1] = bits;
      program.machine.run({ until: program.label('end') });
      return program.machine.getRegister(2);
    };
    expect(convert('trunc.s', bitsOf(-1.9))).toBe(-1);
    expect(convert('floor.s', bitsOf(-1.1))).toBe(-2);
    expect(convert('ceil.s', bitsOf(1.1))).toBe(2);
    expect(convert('trunc.s', NAN)).toBe(0x7fffffff);
    expect(convert('trunc.s', bitsOf(3e9))).toBe(0x7fffffff);
    expect(convert('trunc.s', bitsOf(-3e9))).toBe(-0x80000000);
    expect(convert('utrunc.s', bitsOf(3e9))).toBe(3e9 | 0);
    expect(convert('utrunc.s', NAN)).toBe(-1);
    expect(truncToUint(bitsOf(-1.5), 0)).toBe(-1);
    expect(truncToUint(bitsOf(-3e9), 0)).toBe(-0x80000000);
  });
  it('scales by powers of two', () => {
    const program = load('float.s f0, a2, 4; trunc.s a3, f0, 4; ufloat.s f1, a4, 0; float.s f2, a4, 0\nend: nop');
    program.machine.setRegister(2, 24);
    program.machine.setRegister(4, -1);
    program.machine.run({ until: program.label('end') });
    const { fr } = program.machine.state;
    expect([fr[0], program.machine.getRegister(3), fr[1], fr[2]]).toEqual([1.5, 24, 2 ** 32, -1]);
  });
});

describe('comparisons', () => {
  it.each([
    ['un.s', [0, 0, 0, 1]],
    ['oeq.s', [0, 1, 0, 0]],
    ['ueq.s', [0, 1, 0, 1]],
    ['olt.s', [1, 0, 0, 0]],
    ['ult.s', [1, 0, 0, 1]],
    ['ole.s', [1, 1, 0, 0]],
    ['ule.s', [1, 1, 0, 1]],
  ] as [string, number[]][])('%s on less, equal, greater, unordered', (name, expected) => {
    const pairs = [
      [1, 2],
      [-0, 0],
      [2, 1],
      [NaN, 1],
    ] as [number, number][];
    const program = load(`${name} b3, f1, f2\nend: nop`);
    const got = pairs.map(([a, b]) => {
      program.machine.state.fr[1] = a;
      program.machine.state.fr[2] = b;
      program.machine.setSpecial(4, 0xfff7);
      program.machine.pc = program.label('end') - 3;
      program.machine.run({ until: program.label('end') });
      const br = program.machine.getSpecial(4);
      expect(br | 8).toBe(0xffff);
      return (br >>> 3) & 1;
    });
    expect(got).toEqual(expected);
  });
});

describe('step instructions, against silicon measurements', () => {
  it.each([
    [reciprocalEstimate, 0x3f800000, 0x3f7f0000],
    [reciprocalEstimate, 0x7f800000, 0],
    [reciprocalEstimate, 0, 0x7f800000],
    [reciprocalEstimate, 0x7e800000, 0x007f8000],
    [divideEstimate, 0x7fc00000, 0x3f2a0000],
    [reciprocalRootEstimate, 0xbf800000, 0xffff0000],
    [reciprocalRootEstimate, 0x3f800000, 0x3f7f0000],
    [rootEstimate, 0x7f800000, 0x3f7f0000],
    [rootEstimate, 0x40000000, 0x3f340000],
    [normalizeExponent01, 0x40490fdb, 0xc0490fdb],
    [normalizeExponent01, 0x3f000000, 0xc0000000],
    [normalizeExponent01, 0x7fd5aa55, 0xffd5aa55],
    [makeRootAdjust, 0x3f800000, 0x3f9fc000],
    [makeRootAdjust, 0xbf800000, 0x4fb7c000],
  ] as [(bits: number) => number, number, number][])('%o(%i)', (step, operand, expected) => {
    expect(hex(step(operand | 0))).toBe(hex(expected));
  });
  it('mkdadj.s, addexp.s and addexpm.s', () => {
    expect(hex(makeDivideAdjust(0x3f800000, 0x3f000000))).toBe('379dc000');
    expect(hex(makeDivideAdjust(0x12345678, 0x3f800000))).toBe('2fa3c000');
    expect(hex(runner('mov.s f0, f1; addexp.s f0, f2')(0x12345678, 0x1f800000))).toBe('72345678');
    expect(hex(runner('mov.s f0, f1; addexpm.s f0, f2')(0x12345678, 0x40490fdb))).toBe('e4b45678');
  });

  // Newton's iteration for 1/d on the significands nexp01.s leaves, quotient and remainder in step with it, and the
  // exponents put back by the adjust instructions.
  const NEWTON = 'const.s f5, 1; maddn.s f5, f4, f3; maddn.s f3, f5, f3';
  const REMAINDER = 'mov.s f7, f6; maddn.s f7, f4, f0';
  const DIVIDE = `
    div0.s f3, f2; nexp01.s f4, f2; nexp01.s f6, f1; neg.s f6, f6; const.s f0, 0; maddn.s f0, f6, f3
    ${NEWTON}; ${NEWTON}; ${REMAINDER}; maddn.s f0, f7, f3; ${NEWTON}; ${REMAINDER}
    mov.s f8, f2; mkdadj.s f8, f1; addexpm.s f0, f8; addexp.s f3, f8; divn.s f0, f7, f3`;
  // Goldschmidt's iteration: g -> sqrt(a), h -> 1 / (2 sqrt(a)), error 1/2 - g h.
  const GOLDSCHMIDT = 'const.s f6, 3; neg.s f7, f5; maddn.s f6, f7, f0; maddn.s f0, f0, f6; maddn.s f5, f5, f6';
  const ROOT = `
    sqrt0.s f3, f1; nexp01.s f4, f1; neg.s f4, f4; const.s f0, 0; maddn.s f0, f4, f3
    const.s f6, 3; const.s f5, 0; maddn.s f5, f6, f3; ${GOLDSCHMIDT}; ${GOLDSCHMIDT}
    neg.s f7, f0; maddn.s f4, f7, f0; mksadj.s f8, f1; addexpm.s f0, f8; addexp.s f5, f8; divn.s f0, f4, f5`;

  const samples = (seed: number, count: number): number[] => {
    const next = generator(seed);
    return [...SPECIALS, ...Array.from({ length: count }, () => next())];
  };

  it('the division sequence is correctly rounded', () => {
    const divide = runner(DIVIDE);
    const values = samples(7, 60);
    for (const a of values) {
      for (const b of values) {
        const quotient = floatOf(a | 0) / floatOf(b | 0);
        const got = divide(a, b);
        if (Number.isNaN(quotient)) expect(got & 0x7fc00000).toBe(0x7fc00000);
        else expect(`${hex(a)}/${hex(b)}=${hex(got)}`).toBe(`${hex(a)}/${hex(b)}=${hex(bitsOf(quotient))}`);
      }
    }
  });
  it('the square root sequence is correctly rounded', () => {
    const root = runner(ROOT);
    for (const a of samples(11, 3000)) {
      const expected = Math.sqrt(floatOf(a | 0));
      const got = root(a);
      if (Number.isNaN(expected)) expect(got & 0x7fc00000).toBe(0x7fc00000);
      else expect(`sqrt ${hex(a)}=${hex(got)}`).toBe(`sqrt ${hex(a)}=${hex(bitsOf(expected))}`);
    }
  });
});

describe('float loads and stores', () => {
  it('indexed and post-incremented forms', () => {
    const program = load(`
      lsi f0, a2, 4; lsx f1, a2, a3; lsip f2, a4, 8; lsxp f3, a5, a3
      ssi f0, a6, 0; ssx f1, a6, a3; ssip f2, a7, 12; ssxp f3, a8, a3
      end: nop`);
    const { machine } = program;
    [1, 2, 3, 4].forEach((value, i) => machine.writeWord(DATA + 4 * i, value));
    const addresses = { 2: DATA, 3: 8, 4: DATA, 5: DATA + 12, 6: DATA + 64, 7: DATA + 68, 8: DATA + 76 };
    for (const [register, value] of Object.entries(addresses)) machine.setRegister(Number(register), value);
    machine.run({ until: program.label('end') });
    expect([0, 1, 2, 3].map((i) => machine.state.frBits[i])).toEqual([2, 3, 1, 4]);
    expect([4, 5, 7, 8].map((i) => machine.getRegister(i) - DATA)).toEqual([8, 20, 80, 84]);
    expect([16, 17, 18, 19].map((i) => machine.readWord(DATA + 4 * i))).toEqual([2, 1, 3, 4]);
  });
  it('a faulting post-increment leaves its base alone, translated or not', () => {
    for (const translate of [true, false]) {
      const program = load('loop: ssip f0, a2, 4; addi a3, a3, 1; j loop', { translate });
      program.machine.setRegister(2, 0x3ffffff0 - 4000);
      program.machine.run({ until: 0x40080300 });
      expect([program.machine.getRegister(2), program.machine.getRegister(3)]).toEqual([0x40000000 - 0, 1004]);
    }
  });
});

describe('coprocessor enable', () => {
  it('a float instruction with CPENABLE clear raises cause 32', () => {
    const { machine } = load('add.s f0, f0, f0');
    machine.setSpecial(224, 0);
    machine.run({ until: 0x40080300 });
    expect([machine.getSpecial(232), machine.pc]).toEqual([32, 0x40080300]);
  });
});

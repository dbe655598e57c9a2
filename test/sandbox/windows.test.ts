// Grant windows in compiled code, with the grant table filled by hand: every access of every width at both ends of a window,
// rights, holders, generations, bulk operations; and whole programs that must do through a window what they do in their own
// memory.
import { beforeAll, describe, expect, test } from 'vitest';
import { TrapCode } from '../../compiler/abi/traps.js';
import { GrantRight } from '../../compiler/abi/os-layout.js';
import type { OptLevel } from '../../compiler/passes/pipeline.js';
import { checkAllocation } from '../../backend-xtensa/regalloc/checker.js';
import type { Invocation } from '../../cli/device.js';
import { writeElf } from '../../linker/elf-output.js';
import { verifyElf } from '../../verifier/verify.js';
import { wat } from '../support/wat.js';
import { FRAME, WindowDevice, type Grant } from './window-device.js';

const { Read, Write } = GrantRight;
const BOTH = Read | Write;

interface Access {
  readonly name: string;
  readonly bytes: number;
  readonly type: string;
  readonly isStore: boolean;
}
const accesses: Access[] = [];
for (const [type, bytes, narrow] of [
  ['i32', 4, [8, 16]],
  ['i64', 8, [8, 16, 32]],
  ['f32', 4, []],
  ['f64', 8, []],
] as const) {
  accesses.push({ name: `${type}.load`, bytes, type, isStore: false });
  accesses.push({ name: `${type}.store`, bytes, type, isStore: true });
  for (const bits of narrow) {
    for (const sign of ['s', 'u'])
      accesses.push({ name: `${type}.load${bits}_${sign}`, bytes: bits / 8, type, isStore: false });
    accesses.push({ name: `${type}.store${bits}`, bytes: bits / 8, type, isStore: true });
  }
}

const OFFSETS = [0, 5] as const;
const accessor = ({ name, type, isStore }: Access, offset: number): string =>
  isStore
    ? `(func (export "${name}+${offset}") (param i32 ${type}) (${name} offset=${offset} (local.get 0) (local.get 1)))`
    : `(func (export "${name}+${offset}") (param i32) (result ${type}) (${name} offset=${offset} (local.get 0)))`;

/** Same data in the own memory and in a window must give the same results and the same bytes. */
const PROGRAMS = `
  (func (export "sum") (param $p i32) (param $n i32) (result i32) (local $s i32)
    (loop $l
      (local.set $s (i32.add (i32.rotl (local.get $s) (i32.const 3)) (i32.load16_s (local.get $p))))
      (local.set $p (i32.add (local.get $p) (i32.const 2)))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $s))
  (func (export "sort") (param $p i32) (param $n i32) (result i32) (local $i i32) (local $j i32) (local $v i32)
    (local.set $i (i32.const 1))
    (loop $outer
      (local.set $v (i32.load (i32.add (local.get $p) (i32.shl (local.get $i) (i32.const 2)))))
      (local.set $j (local.get $i))
      (block $done
        (loop $inner
          (br_if $done (i32.eqz (local.get $j)))
          (br_if $done (i32.le_s (i32.load (i32.sub (i32.add (local.get $p)
            (i32.shl (local.get $j) (i32.const 2))) (i32.const 4))) (local.get $v)))
          (i32.store (i32.add (local.get $p) (i32.shl (local.get $j) (i32.const 2)))
            (i32.load (i32.sub (i32.add (local.get $p) (i32.shl (local.get $j) (i32.const 2))) (i32.const 4))))
          (local.set $j (i32.sub (local.get $j) (i32.const 1)))
          (br $inner)))
      (i32.store (i32.add (local.get $p) (i32.shl (local.get $j) (i32.const 2))) (local.get $v))
      (br_if $outer (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (i32.load offset=4 (local.get $p)))
  (func $mix (param $p i32) (param $k i32) (result i32)
    (i64.store (local.get $p) (i64.mul (i64.load (local.get $p)) (i64.extend_i32_u (local.get $k))))
    (f64.store offset=8 (local.get $p)
      (f64.add (f64.load offset=8 (local.get $p)) (f64.convert_i32_s (local.get $k))))
    (f32.store offset=16 (local.get $p) (f32.div (f32.load offset=20 (local.get $p)) (f32.const 3)))
    (i32.load8_s offset=3 (local.get $p)))
  (func (export "records") (param $p i32) (param $n i32) (result i32) (local $s i32)
    (loop $l
      (local.set $s (i32.add (local.get $s) (call $mix (local.get $p) (local.get $n))))
      (local.set $p (i32.add (local.get $p) (i32.const 24)))
      (br_if $l (i32.gt_s (local.tee $n (i32.sub (local.get $n) (i32.const 2))) (i32.const 4))))
    (local.get $s))
  (func (export "many") (param $p i32) (param $n i32) (result i32)
    ${Array.from({ length: 24 }, (_, i) => `(local $v${i} i32)`).join(' ')}
    ${Array.from({ length: 24 }, (_, i) => `(local.set $v${i} (i32.load (i32.add (local.get $p) (i32.shl (i32.and (i32.add (local.get $n) (i32.const ${i})) (i32.const 31)) (i32.const 2)))))`).join(' ')}
    ${Array.from({ length: 24 }, (_, i) => `(local.set $n (i32.xor (i32.rotl (local.get $n) (i32.const 5)) (local.get $v${23 - i})))`).join(' ')}
    (local.get $n))`;

const source = (memory: string): string => `(module ${memory}
  ${accesses.flatMap((access) => OFFSETS.map((offset) => accessor(access, offset))).join('\n')}
  (func (export "if-store") (param i32 i32) (result i32)
    (if (i32.and (i32.load (local.get 0)) (local.get 1))
      (then (i32.store (local.get 0) (i32.const 9))))
    (i32.load (local.get 0)))
  (func (export "increment") (param i32)
    (i32.store (local.get 0) (i32.add (i32.load (local.get 0)) (i32.const 1))))
  (func (export "fill") (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
  (func (export "copy") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
  (func (export "init") (param i32 i32 i32) (memory.init $d (local.get 0) (local.get 1) (local.get 2)))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (data $d "passive data")
  ${PROGRAMS})`;

const FIXED = source('(memory 1 1)').replace(/\(func \(export "grow"\).*\n/, '');
const MEMORIES: readonly (readonly [string, string])[] = [
  ['a memory that cannot grow', FIXED],
  ['a memory that grows', source('(memory 1 3)')],
  ['a memory that begins empty', source('(memory 0 3)')],
  ['an imported memory', source('(import "owner" "shared" (memory 1 2))')],
];

const outOfBounds = { kind: 'trapped', code: TrapCode.MemoryOutOfBounds };
const WINDOW: Grant = { index: 17, generation: 5, start: 0x340, length: 64, rights: BOTH };
const random = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => Math.imul(i + 7, 0x9e3779b1) >>> 11);
const fine = ({ ending }: Invocation): void => expect(ending).toMatchObject({ kind: 'returned' });
const traps = ({ ending }: Invocation): void => expect(ending).toMatchObject(outOfBounds);

describe.each(
  MEMORIES.flatMap(([what, text], i) =>
    (i === 0 ? (['0', '1', '2', 's'] as const) : (['2'] as const)).map((level) => [what, level, text] as const),
  ),
)('%s, level %s', (_, level: OptLevel, text) => {
  let device: WindowDevice;
  let base = 0;
  beforeAll(async () => {
    const owner = await wat(`(module (memory (export "memory") 1) (memory (export "shared") 1 2))`);
    device = new WindowDevice(await wat(text), { level, verify: true, inspectAllocation: checkAllocation }, owner);
    base = device.grant(WINDOW);
  });

  test('is proved by the verifier', () => {
    const { functions, faults } = verifyElf(writeElf(device.linked), 'app.elf', { checkReturns: false });
    const open = functions.flatMap(({ name, violations }) => violations.map(({ reason }) => `${name}: ${reason}`));
    expect([...faults, ...open]).toEqual([]);
  });

  test('every access at both ends', () => {
    for (const access of accesses) {
      for (const offset of OFFSETS) {
        const { name, bytes, type, isStore } = access;
        const wide = type === 'i64' || type === 'f64';
        const run = (at: number): Invocation =>
          isStore
            ? device.call(`${name}+${offset}`, at, wide ? 0x1122334455667788n : 0x55667788)
            : device.call(`${name}+${offset}`, at);
        const last = WINDOW.length - bytes - offset;
        for (const at of [0, 1, last]) {
          const data = random(96);
          device.setOwner(WINDOW.start - 16, data);
          const done = run(base + at);
          fine(done);
          const from = 16 + at + offset;
          const after = device.owner(WINDOW.start - 16, 96);
          if (isStore) {
            const stored = Uint8Array.of(0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11);
            data.set(stored.subarray(0, bytes), from);
          } else {
            const signed = name.endsWith('_s');
            let value = 0n;
            for (let k = bytes; k-- > 0;) value = (value << 8n) | BigInt(data[from + k]!);
            if (signed) value = BigInt.asIntN(8 * bytes, value);
            const words = [value, value >> 32n].slice(0, wide ? 2 : 1).map((w) => Number(BigInt.asUintN(32, w)));
            expect(done.results.slice(0, words.length).map((w) => w >>> 0)).toEqual(words);
          }
          expect(after).toEqual(data);
        }
        const before = device.owner(0, 4096);
        for (const at of [last + 1, WINDOW.length, -1, -4096, 0x3ffff]) traps(run(base + at));
        expect(device.owner(0, 4096)).toEqual(before);
      }
    }
  });

  test('notes who used the window, and only the window asked for', () => {
    device.grant(WINDOW);
    device.grant({ ...WINDOW, index: 18 });
    expect(device.usedBy(WINDOW.index)).toBe(0);
    fine(device.call('i32.load+0', base));
    expect(device.usedBy(WINDOW.index)).toBe(FRAME);
    expect(device.usedBy(18)).toBe(0);
  });

  test('rights', () => {
    const read = device.grant({ ...WINDOW, index: 1, rights: Read });
    const write = device.grant({ ...WINDOW, index: 2, rights: Write });
    const none = device.grant({ ...WINDOW, index: 3, rights: 0 });
    const before = device.owner(0, 4096);
    for (const { name, isStore } of accesses) {
      const args = isStore ? [0] : [];
      for (const [at, rights] of [
        [read, Read],
        [write, Write],
        [none, 0],
      ] as const) {
        const allowed = (rights & (isStore ? Write : Read)) !== 0;
        const { ending } = device.call(`${name}+0`, at, ...args);
        if (allowed) expect(ending.kind).toBe('returned');
        else expect(ending).toMatchObject(outOfBounds);
        if (isStore && allowed) device.setOwner(0, before);
      }
    }
    expect(device.owner(0, 4096)).toEqual(before);
  });

  test('a load’s check does not cover a store that may not happen', () => {
    const read = device.grant({ ...WINDOW, index: 1, rights: Read });
    device.setOwner(WINDOW.start, Uint8Array.of(6, 0, 0, 0));
    const skipped = device.call('if-store', read, 1);
    fine(skipped);
    expect(skipped.results[0]).toBe(6);
    traps(device.call('if-store', read, 2));
    traps(device.call('increment', read));
    expect(device.owner(WINDOW.start, 4)).toEqual(Uint8Array.of(6, 0, 0, 0));
    expect(device.call('if-store', base, 2).results[0]).toBe(9);
    fine(device.call('increment', base));
    expect(device.owner(WINDOW.start, 4)).toEqual(Uint8Array.of(10, 0, 0, 0));
  });

  test('holders, generations, indices, forged addresses', () => {
    device.grant(WINDOW);
    const other = device.grant({ ...WINDOW, index: 40, holder: 4 });
    traps(device.call('i32.load+0', other));
    expect(device.usedBy(40)).toBe(0);
    for (let generation = 0; generation < 128; generation++) {
      const at = base + (generation - WINDOW.generation) * 2 ** 24;
      if (generation === WINDOW.generation) fine(device.call('i32.load+0', at));
      else traps(device.call('i32.load+0', at));
    }
    for (let index = 0; index < 64; index++) {
      if ([1, 2, 3, 17, 18, 40].includes(index)) continue;
      traps(device.call('i32.load+0', base + (index - WINDOW.index) * 2 ** 18));
    }
    // An entry that was freed with everything but its key still in place.
    device.grant({ ...WINDOW, index: 0, generation: 0 });
    device.setWord(device.entry(0) + 8, 0);
    for (const at of [0x80000000, 0x80000000 + 32, 0x40000, 0x40000 + 8, 0x7fffffff, 0xffffffff, 0xfffffffc])
      traps(device.call('i32.load+0', at));
    device.grant(WINDOW);
    fine(device.call('i32.load+0', base));
    device.setWord(device.entry(WINDOW.index) + 8, 0);
    traps(device.call('i32.load+0', base));
    device.grant(WINDOW);
  });

  test('an own memory is what it was', () => {
    const size = text.includes('(memory 0') ? 0 : 65536;
    for (const { name, bytes, isStore } of accesses) {
      const args = isStore ? [0] : [];
      if (size > 0) fine(device.call(`${name}+0`, size - bytes, ...args));
      for (const at of [size - bytes + 1, size, 0x3ffff, 0x20000, 0x7ffffffc])
        traps(device.call(`${name}+0`, at, ...args));
    }
    if (text.includes('"grow"')) {
      expect(device.call('grow', 1).results[0]).toBe(size / 65536);
      fine(device.call('i32.load+0', size + 65532));
      traps(device.call('i32.load+0', size + 65533));
      fine(device.call('i32.load+0', base));
    }
  });

  test('bulk operations', () => {
    const read = device.grant({ ...WINDOW, index: 1, rights: Read });
    const write = device.grant({ ...WINDOW, index: 2, rights: Write });
    const reset = (): Uint8Array => {
      const data = random(96);
      device.setOwner(WINDOW.start - 16, data);
      return data;
    };
    let data = reset();
    fine(device.call('fill', base + 3, 0xab, 61));
    data.fill(0xab, 19, 80);
    expect(device.owner(WINDOW.start - 16, 96)).toEqual(data);
    fine(device.call('fill', base + 64, 1, 0));
    for (const [at, n] of [
      [base + 3, 62],
      [base + 64, 1],
      [base + 65, 0],
      [base - 1, 1],
      [read, 1],
      [base, -1],
    ] as const)
      traps(device.call('fill', at, 0, n));
    expect(device.owner(WINDOW.start - 16, 96)).toEqual(data);
    data = reset();
    fine(device.call('init', write + 52, 0, 12));
    data.set(new TextEncoder().encode('passive data'), 16 + 52);
    expect(device.owner(WINDOW.start - 16, 96)).toEqual(data);
    for (const [at, from, n] of [
      [write + 53, 0, 12],
      [read, 0, 1],
      [write, 1, 12],
    ] as const)
      traps(device.call('init', at, from, n));
    // Within a window, overlapping, both ways.
    data = reset();
    fine(device.call('copy', base + 8, base, 56));
    data.copyWithin(24, 16, 72);
    expect(device.owner(WINDOW.start - 16, 96)).toEqual(data);
    for (const [to, from, n] of [
      [base, read, 65],
      [read, base, 1],
      [base, write, 1],
      [base + 1, base, 64],
      [base, -8, 4],
    ] as const)
      traps(device.call('copy', to, from, n));
    expect(device.owner(WINDOW.start - 16, 96)).toEqual(data);
    if (!text.includes('import "owner"') && !text.includes('(memory 0')) {
      fine(device.call('copy', 1000, read, 64));
      expect(device.own(1000, 64)).toEqual(device.owner(WINDOW.start, 64));
      device.setOwn(1000, random(64).reverse());
      fine(device.call('copy', write, 1000, 64));
      expect(device.owner(WINDOW.start, 64)).toEqual(device.own(1000, 64));
      traps(device.call('copy', write, 3 * 65536 - 63, 64));
    }
  });

  test.skipIf(text.includes('import "owner"') || text.includes('(memory 0'))('whole programs', () => {
    const length = 24 * 40;
    const big = device.grant({ index: 63, generation: 127, start: 4096, length, rights: BOTH });
    for (const [name, n] of [
      ['sum', 200],
      ['sort', 60],
      ['records', 60],
      ['many', 5],
      ['many', 29],
    ] as const) {
      const data = random(length);
      device.setOwn(256, data);
      device.setOwner(4096, data);
      const own = device.call(name, 256, n);
      const granted = device.call(name, big, n);
      fine(own);
      fine(granted);
      expect([name, granted.results]).toEqual([name, own.results]);
      expect(device.owner(4096, length)).toEqual(device.own(256, length));
    }
    traps(device.call('sum', big, length / 2 + 1));
    traps(device.call('sort', big, length / 4 + 1));
  });
});

test('without the option there is no table to ask', async () => {
  const owner = await wat(WindowDevice.ownerText);
  const app = await wat(`(module (memory 1) (func (export "load") (param i32) (result i32) (i32.load (local.get 0))))`);
  expect(new WindowDevice(app, {}, owner).linked.symbols.has('ts_grants')).toBe(true);
  expect(() => new WindowDevice(app, { windows: false }, owner)).toThrow('no symbol ts_current_module');
});

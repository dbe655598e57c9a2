// Tests translation: the exact IR of small bodies, declarations and flags, and results of programs in the reference
// interpreter against Node's own engine.
import { describe, expect, it } from 'vitest';
import { generateModule } from '../../test/fuzz/generate.js';
import { wat } from '../../test/support/wat.js';
import { TrapCode } from '../abi/traps.js';
import { DiagnosticError } from '../diagnostics.js';
import { frontend, frontendWithTraffic, moduleName } from '../driver.js';
import type { Value } from '../ir/eval.js';
import { initialise, invoke, Trap } from '../ir/interp.js';
import type { IrModule } from '../ir/module.js';
import { Op } from '../ir/ops.js';
import { printFunc } from '../ir/print.js';
import { Instance, Store } from '../ir/runtime.js';
import { Type } from '../ir/types.js';
import { verifyFunc } from '../ir/verify.js';

async function ir(text: string): Promise<IrModule> {
  const module = frontend(await wat(text));
  for (const body of module.bodies) expect(verifyFunc(body, { module }).map((f) => f.message)).toEqual([]);
  return module;
}

/** Text of function number `index`, without its head line. */
async function body(text: string, index = 0): Promise<string[]> {
  const lines = printFunc((await ir(text)).bodies[index]!)
    .trim()
    .split('\n');
  return lines.slice(1, -1).map((line) => line.trim());
}

describe('SSA construction', () => {
  it('gives a loop parameters for what changes in it and nothing else', async () => {
    expect(
      await body(`(module (func (param $n i32) (param $step i32) (result i32) (local $i i32) (local $never f64)
        (block $out (loop $top
          (br_if $out (i32.ge_u (local.get $i) (local.get $n)))
          (local.set $i (i32.add (local.get $i) (local.get $step)))
          (br $top)))
        local.get $i))`),
    ).toEqual([
      'block0(v0: i32, v1: i32):',
      'v2 = i32.const 0',
      'jump block1(v2)',
      'block1(v3: i32):',
      'v4 = i32.ge_u v3, v0',
      'br_if v4, block3, block2',
      'block2:',
      'v5 = i32.add v3, v1',
      'jump block1(v5)',
      'block3:',
      'return v3',
    ]);
  });
  it('joins only locals that differ and are read later', async () => {
    const lines =
      await body(`(module (func (param $c i32) (result i32) (local $dead i32) (local $same i32) (local $x i32)
      (local.set $same (i32.const 5))
      (if (local.get $c) (then (local.set $dead (i32.const 1)) (local.set $x (i32.const 2)))
        (else (local.set $dead (i32.const 3)) (local.set $x (local.get $same))))
      (i32.add (local.get $x) (local.get $same))))`);
    expect(lines.filter((line) => line.startsWith('block'))).toEqual([
      'block0(v0: i32):',
      'block1:',
      'block2:',
      'block3(v5: i32):',
    ]);
    expect(lines.at(-1)).toBe('return v6');
    expect(lines.at(-2)).toBe('v6 = i32.add v5, v1');
  });
  it('drops parameters of nested loops that do not change a local after all', async () => {
    const lines = await body(`(module (func (param $a i32) (param $c i32) (result i32)
      (loop $outer (loop $inner
        (local.set $a (local.get $a))
        (br_if $inner (local.get $c))
        (br_if $outer (local.get $a))))
      local.get $a))`);
    expect(lines.filter((line) => /^block\d+\(/.test(line))).toEqual(['block0(v0: i32, v1: i32):']);
  });
  it('swaps two locals in a loop', async () => {
    const lines = await body(`(module (func (param $a i32) (param $b i32) (param $n i32) (result i32) (local $t i32)
      (loop $top
        (local.set $t (local.get $a)) (local.set $a (local.get $b)) (local.set $b (local.get $t))
        (br_if $top (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
      local.get $a))`);
    expect(lines).toContain('block1(v3: i32, v4: i32, v5: i32):');
    expect(lines.find((line) => line.startsWith('br_if'))).toMatch(/block1\(v4, v3, v\d+\)/);
  });
  it('sends an if without else straight to its end, with operands', async () => {
    expect(
      await body(`(module (func (param i32) (result i32)
        i32.const 9 local.get 0 (if (param i32) (result i32) (then i32.eqz))))`),
    ).toEqual([
      'block0(v0: i32):',
      'v1 = i32.const 9',
      'br_if v0, block1, block2(v1)',
      'block1:',
      'v2 = i32.eqz v1',
      'jump block2(v2)',
      'block2(v3: i32):',
      'return v3',
    ]);
  });
  it('skips unreachable code, blocks in it included', async () => {
    expect(
      await body(`(module (func (result i32) (block (br 0) (loop (br 0)) (drop (i32.const 1)))
        (return (i32.const 4)) (block (result i32) (i32.div_s (i32.const 1) (i32.const 0)))))`),
    ).toEqual(['block0:', 'jump block1', 'block1:', 'v0 = i32.const 4', 'return v0']);
  });
  it('shares constants inside a block', async () => {
    const lines = await body(
      '(module (func (result i32) (i32.add (i32.const 7) (i32.mul (i32.const 7) (i32.const 7)))))',
    );
    expect(lines.filter((line) => line.includes('i32.const'))).toHaveLength(1);
  });
});

describe('instructions', () => {
  it('checks and translates addresses by mem.addr', async () => {
    expect(
      await body(`(module (memory 1) (memory 1) (func (param i32) (result i64)
        (i32.store16 1 offset=6 (local.get 0) (i32.const 1)) (i64.load32_u offset=4294967292 (local.get 0))))`),
    ).toEqual([
      'block0(v0: i32):',
      'v1 = i32.const 1',
      'v2 = mem.addr v0, extent=8, memory=1',
      'i32.store16 v2, v1, offset=6, memory=1',
      'v3 = mem.addr v0, extent=4294967296',
      'v4 = i64.load32_u v3, offset=4294967292',
      'return v4',
    ]);
  });
  it('traps for accesses that can never be in bounds', async () => {
    const { bodies } = await ir(
      '(module (memory 1) (func (param i32) (result i64) (i64.load offset=4294967295 (local.get 0))))',
    );
    const ops = bodies[0]!.entry.insts.map((inst) => inst.op);
    expect(ops).toEqual([Op.I32Const, Op.TrapIfEqz, Op.I64Const, Op.Return]);
    expect(bodies[0]!.entry.insts[1]!.imm).toBe(TrapCode.MemoryOutOfBounds);
  });
  it('gives every instruction the offset of its Wasm instruction', async () => {
    const bytes = await wat(
      '(module (memory 1) (func (param i32) (result i32) (i32.load (local.get 0)) i32.const 3 i32.add))',
    );
    const { insts } = frontend(bytes).bodies[0]!.entry;
    expect(insts.map((inst) => bytes[inst.loc])).toEqual([0x28, 0x28, 0x41, 0x6a, 0x0b]);
  });
  it('puts the table index first and projects several results', async () => {
    expect(
      await body(`(module (type $t (func (param f32) (result i32 i64))) (table 1 funcref)
        (func (param f32 i32) (result i64) (local i64)
          (call_indirect (type $t) (local.get 0) (local.get 1)) (local.set 2) (drop) (local.get 2)))`),
    ).toEqual([
      'block0(v0: f32, v1: i32):',
      'v2: (i32, i64) = call_indirect v1, v0, table=0',
      'v3: i32 = proj v2, index=0',
      'v4: i64 = proj v2, index=1',
      'return v4',
    ]);
  });
  it('counts what the operand stack would do', async () => {
    const { traffic } = frontendWithTraffic(
      await wat(
        '(module (func (param i32) (result i32) (i32.add (local.get 0) (local.tee 0 (i32.const 1))) (return) (drop)))',
      ),
    );
    // get 1 push; const 1 push; tee 1 pop, 1 push; add 2 pops, 1 push; return 1 pop; nothing after it
    expect(traffic[0]).toEqual({ stackPushes: 4, stackPops: 4 });
  });
});

describe('declarations', () => {
  it('flags what can grow, change or be taken the address of', async () => {
    const m = await ir(`(module
      (import "env" "f" (func $imp)) (import "env" "t" (table 1 funcref))
      (memory $fixed 1) (memory $grown 1 4) (memory $out (export "mem") 2)
      (table $plain 2 funcref) (table $set 2 externref) (table $big 2 externref)
      (global $k i32 (i32.sub (i32.const 1) (i32.const 3))) (global $r (mut funcref) (ref.func $named))
      (global $l i64 (i64.mul (i64.const 0x100000001) (i64.const -3)))
      (func $named) (func $plainf) (func $inelem) (func (export "go")
        (drop (memory.grow $grown (i32.const 1)))
        (table.set $set (i32.const 0) (ref.null extern))
        (drop (table.grow $big (ref.null extern) (i32.const 1))))
      (elem (table $plain) (i32.const 0) func $inelem $imp) (elem declare func $named))`);
    expect(m.memories.map((x) => x.growable)).toEqual([false, true, true]);
    expect(m.tables.map((x) => [x.mutable, x.growable])).toEqual([
      [true, true],
      [false, false],
      [true, false],
      [true, true],
    ]);
    expect(m.funcs.map((x) => x.addressTaken)).toEqual([true, true, false, true, true, false]);
    expect(m.globals.map((x) => x.init)).toEqual([[-2, 0], null, [-3, -4]]);
    expect(m.funcs[m.initIndex]).toMatchObject({ name: '$init', import: null });
    expect(m.bodies.at(-1)!.index).toBe(m.initIndex);
    expect(m.elems[1]!.entries).toEqual([]);
  });
  it('builds the init function in the order of the spec', async () => {
    const lines = await body(
      `(module (import "env" "base" (global $base i32)) (memory 1) (table 4 funcref)
        (global $g (mut i32) (i32.add (global.get $base) (i32.const 1)))
        (func $start (memory.init 1 (i32.const 0) (i32.const 0) (i32.const 0))) (start $start)
        (data (i32.const 8) "ab") (data (global.get $base) "c") (elem (i32.const 1) func $start))`,
      1,
    );
    const ops = lines.map((line) => line.replace(/^v\d+(: \w+)? = /, '').split(' ')[0]);
    expect(ops.filter((op) => !/const|block0|global.get|i32.add/.test(op!))).toEqual([
      'global.set',
      'table.init',
      'memory.init',
      'memory.init',
      'data.drop',
      'call',
      'return',
    ]);
  });
  it('sets imported references of active element segments one by one', async () => {
    const segment = '(elem (table 0) (i32.const 3) funcref (ref.null func) (global.get 0) (ref.func 0))';
    const head = '(module (import "env" "r" (global funcref)) (table 8 funcref) (func)';
    const module = await ir(`${head} ${segment})`);
    expect(module.elems[0]!.entries).toEqual([null, null, 0]);
    const ops = module.bodies[1]!.entry.insts.map((inst) => inst.op).filter((op) => op !== Op.I32Const);
    expect(ops).toEqual([Op.TableInit, Op.I32Add, Op.GlobalGet, Op.TableSet, Op.Return]);
    const used = '(func (table.init 0 0 (i32.const 0) (i32.const 0) (i32.const 0)))';
    await expect(ir(`${head} ${used} ${segment})`)).rejects.toThrowError('element segment for table.init');
  });
  it('names modules by option or file', () => {
    expect(moduleName({ file: '/a/b/my app.wasm' })).toBe('my_app');
    expect(moduleName({ file: 'x.wasm', name: 'two/three' })).toBe('two_three');
    expect(moduleName({})).toBe('module');
  });
  it('refuses signatures beyond the calling convention', async () => {
    const bytes = await wat(`(module (func (param ${'i64 '.repeat(129)})))`);
    expect(() => frontend(bytes)).toThrowError(DiagnosticError);
  });
});

// -- execution
const NUMBERS = { i32: Type.I32, i64: Type.I64, f32: Type.F32, f64: Type.F64 };

function toJs(value: Value, type: Type): number | bigint {
  if (type === Type.F32) return new Float32Array(Int32Array.of(value as number).buffer)[0]!;
  if (type === Type.F64) return new Float64Array(BigInt64Array.of(value as bigint).buffer)[0]!;
  return value;
}
function fromJs(value: number | bigint, type: Type): Value {
  if (type === Type.F32) return new Int32Array(Float32Array.of(value as number).buffer)[0]!;
  if (type === Type.F64) return new BigInt64Array(Float64Array.of(value as number).buffer)[0]!;
  return value;
}

/** Runs an export in the interpreter; the message of a trap stands for its results. */
function interpret(instance: Instance, name: string, args: readonly (number | bigint)[]): unknown {
  const found = instance.exports.get(name)!;
  if (found.kind !== 'func') throw new Error(`${name} is no function`);
  const { params, results } = found.func.signature;
  try {
    const values = invoke(
      instance.store,
      found.func,
      args.map((arg, i) => fromJs(arg, params[i]!)),
    );
    return values.map((value, i) => toJs(value, results[i]!));
  } catch (error) {
    if (error instanceof Trap) return 'trap';
    throw error;
  }
}
function native(instance: WebAssembly.Instance, name: string, args: readonly (number | bigint)[]): unknown {
  try {
    const result: unknown = (instance.exports[name] as (...a: unknown[]) => unknown)(...args);
    return result === undefined ? [] : Array.isArray(result) ? result : [result];
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) return 'trap';
    throw error;
  }
}

async function compare(bytes: Uint8Array, calls: readonly [string, ...(number | bigint)[]][]): Promise<void> {
  const store = new Store();
  store.maxDepth = 100_000;
  const instance = new Instance(store, frontend(bytes), () => undefined);
  initialise(instance);
  const other = new WebAssembly.Instance(new WebAssembly.Module(bytes as BufferSource), {});
  for (const [name, ...args] of calls) {
    expect(interpret(instance, name, args), `${name}(${args.join(', ')})`).toEqual(native(other, name, args));
  }
}

describe('execution agrees with V8', () => {
  it('on control flow with operands and locals', async () => {
    const bytes = await wat(`(module
      (func $gcd (export "gcd") (param i32 i32) (result i32)
        (loop $l (result i32)
          (if (result i32) (i32.eqz (local.get 1)) (then (local.get 0))
            (else (local.get 1) (local.set 1 (i32.rem_u (local.get 0) (local.get 1))) (local.set 0) (br $l)))))
      (func (export "fac") (param i64) (result i64)
        (if (result i64) (i64.eqz (local.get 0)) (then (i64.const 1))
          (else (i64.mul (local.get 0) (return_call 2 (i64.sub (local.get 0) (i64.const 1)) (local.get 0))))))
      (func (param i64 i64) (result i64) (if (result i64) (i64.eqz (local.get 0)) (then (local.get 1))
          (else (return_call 2 (i64.sub (local.get 0) (i64.const 1)) (i64.mul (local.get 0) (local.get 1))))))
      (func (export "fib") (param i32) (result i32) (local i32 i32)
        (local.set 2 (i32.const 1))
        (block (loop (br_if 1 (i32.eqz (local.get 0)))
          (local.get 2) (local.set 2 (i32.add (local.get 1) (local.get 2))) (local.set 1)
          (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br 0)))
        (local.get 1))
      (func (export "switch") (param i32) (result i32 i32)
        (block (result i32) (block (result i32) (block (result i32)
          (br_table 0 1 2 0 (i32.const 10) (local.get 0)))
          (return (i32.const 1))) (i32.const 100) (i32.add)) (local.tee 0) (local.get 0))
      (func (export "collatz") (param i64) (result i64) (local i64)
        (loop $l
          (if (i64.ne (local.get 0) (i64.const 1)) (then
            (local.set 1 (i64.add (local.get 1) (i64.const 1)))
            (local.set 0 (select (i64.add (i64.mul (local.get 0) (i64.const 3)) (i64.const 1))
              (i64.shr_u (local.get 0) (i64.const 1)) (i32.wrap_i64 (i64.and (local.get 0) (i64.const 1)))))
            (br $l))))
        (local.get 1)))`);
    await compare(bytes, [
      ['gcd', 1071, 462],
      ['gcd', 17, 0],
      ['fac', 12n],
      ['fib', 30],
      ['fib', 0],
      ['switch', 0],
      ['switch', 1],
      ['switch', 2],
      ['switch', 99],
      ['collatz', 27n],
    ]);
  });
  it('on tables, segments, bulk memory and references', async () => {
    const bytes = await wat(`(module
      (type $v (func (result i32))) (memory (export "m") 1) (table $t 8 funcref)
      (func $one (result i32) i32.const 1) (func $two (result i32) i32.const 2)
      (elem (i32.const 1) $one $two) (elem $later func $two $one)
      (data (i32.const 16) "hello") (data $d "world")
      (func (export "at") (param i32) (result i32) (call_indirect $t (type $v) (local.get 0)))
      (func (export "swap") (table.init $t $later (i32.const 1) (i32.const 0) (i32.const 2)) (elem.drop $later))
      (func (export "null") (param i32) (result i32) (ref.is_null (table.get $t (local.get 0))))
      (func (export "copy") (memory.init $d (i32.const 32) (i32.const 0) (i32.const 5)) (data.drop $d)
        (memory.copy (i32.const 34) (i32.const 32) (i32.const 5)) (memory.fill (i32.const 40) (i32.const 0x41) (i32.const 3)))
      (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
      (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
      (func (export "tgrow") (param i32) (result i32) (table.grow $t (ref.func $one) (local.get 0))))`);
    await compare(bytes, [
      ['at', 1],
      ['at', 2],
      ['at', 3],
      ['at', 8],
      ['null', 0],
      ['null', 1],
      ['swap'],
      ['at', 1],
      ['swap'],
      ['copy'],
      ['load', 16],
      ['load', 32],
      ['load', 36],
      ['load', 40],
      ['copy'],
      ['load', 65532],
      ['load', 65533],
      ['load', -1],
      ['grow', 2],
      ['load', 65533],
      ['grow', 100000],
      ['tgrow', 4],
      ['at', 11],
    ]);
  });
  it('on generated programs', async () => {
    for (let seed = 100; seed < 130; seed++) {
      const { bytes, functions } = generateModule(seed);
      const samples = { [NUMBERS.i32]: 7, [NUMBERS.i64]: -9n, [NUMBERS.f32]: 1.5, [NUMBERS.f64]: -0.25 };
      const byCode: Record<number, Type> = { 0x7f: Type.I32, 0x7e: Type.I64, 0x7d: Type.F32, 0x7c: Type.F64 };
      const calls = functions.map((type, i): [string, ...(number | bigint)[]] => [
        `f${i}`,
        ...type.params.map((param) => samples[byCode[param]!]!),
      ]);
      await compare(bytes, calls);
    }
  });
});

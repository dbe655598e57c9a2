// Tests of the reference interpreter where Wasm modules alone do not reach: limits, hosts, and instances in words and in wide
// values that call each other.
import { describe, expect, test } from 'vitest';
import { TrapCode } from '../abi/traps.js';
import { DiagnosticError } from '../diagnostics.js';
import { lowerModule } from '../passes/pipeline.js';
import { initialise, invoke, OutOfFuel, Trap } from './interp.js';
import type { IrModule } from './module.js';
import { parseModule } from './parse.js';
import { type Extern, Instance, type Resolver, Store } from './runtime.js';
import { Type } from './types.js';

const PROVIDER = `module "lib"
memory 0 1..4 growable exported
global 0 i64 mutable init=0x0000000500000007 exported
export "memory" memory 0
export "counter" global 0
export "swap" func 0
func 0 @swap(i64, i32) -> (i32, i64) {
block0(v0: i64, v1: i32):
  return v1, v0
}
`;
const USER = `module "user"
type 0 (i64, i32) -> (i32, i64)
type 1 (i64) -> (f64)
decl 0 @swap type=0 import "lib" "swap"
decl 1 @host type=1 import "env" "host"
memory 0 1.. import "lib" "memory" growable
global 0 i64 import "lib" "counter" mutable
export "run" func 2
export "tail" func 3
func 2 @run(i64) -> (f64, i64) {
block0(v0: i64):
  v1 = i32.const 9
  v2: (i32, i64) = call v0, v1, func=0
  v3: i32 = proj v2, index=0
  v4: i64 = proj v2, index=1
  v5 = mem.addr v3, extent=8
  i64.store v5, v4, offset=0
  v6: i64 = global.get global=0
  global.set v4, global=0
  v7: f64 = call v6, func=1
  return v7, v4
}
func 3 @tail(i64, i32) -> (i32, i64) {
block0(v0: i64, v1: i32):
  return_call v0, v1, func=0
}
`;

function instance(store: Store, text: string, words: boolean, resolver: Resolver): Instance {
  const module: IrModule = parseModule(text).module;
  if (words) lowerModule(module, { level: '2', cfi: 'forward', verify: true, keepMemory: true });
  const made = new Instance(store, module, resolver, words);
  initialise(made);
  return made;
}

function func(of: Instance, name: string): Extract<Extern, { kind: 'func' }>['func'] {
  const found = of.exports.get(name);
  if (found?.kind !== 'func') throw new Error(`no function ${name}`);
  return found.func;
}

describe.each([
  [false, false],
  [true, false],
  [false, true],
  [true, true],
])('provider in words: %s, user in words: %s', (providerWords, userWords) => {
  test('share memory and globals, call each other and the host', () => {
    const store = new Store();
    const provider = instance(store, PROVIDER, providerWords, () => undefined);
    const seen: unknown[] = [];
    const host = store.hostFunc('host', { params: [Type.I64], results: [Type.F64] }, (args) => {
      seen.push(...args);
      return [0x4000000000000000n];
    });
    const user = instance(store, USER, userWords, (from, name) => (from === 'env' ? host : provider.exports.get(name)));
    expect(invoke(store, func(user, 'run'), [-2n])).toEqual([0x4000000000000000n, -2n]);
    expect(seen).toEqual([0x0000000500000007n]);
    expect(provider.memories[0]!.view.getBigInt64(9, true)).toBe(-2n);
    expect(provider.globals[0]!.value).toBe(-2n);
    expect(invoke(store, func(user, 'tail'), [1n << 40n, 3])).toEqual([3, 1n << 40n]);
  });
});

describe('limits and faults', () => {
  const SPIN = `module "m"
func 0 @spin(i32) -> () {
block0(v0: i32):
  jump block1
block1:
  jump block1
}
func 1 @dive(i32) -> () {
block0(v0: i32):
  call v0, func=1 !77
  return
}
`;
  test('fuel runs out', () => {
    const store = new Store();
    const made = instance(store, SPIN, false, () => undefined);
    store.fuel = 1000;
    expect(() => invoke(store, made.funcs[0]!, [0])).toThrow(OutOfFuel);
  });

  test('the stack is limited, and a trap knows its place', () => {
    const store = new Store();
    store.maxDepth = 50;
    const made = instance(store, SPIN, false, () => undefined);
    let caught: unknown;
    try {
      invoke(store, made.funcs[1]!, [0]);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(Trap);
    expect(caught).toMatchObject({ code: TrapCode.StackOverflow, wasmOffset: 77, funcIndex: 1 });
  });

  test.each([
    ['missing', () => undefined, 'W401'],
    ['of another kind', (p: Instance) => p.exports.get('memory'), 'W402'],
    ['of another type', (p: Instance) => p.exports.get('swap'), 'W402'],
  ] as const)('an import is %s', (_, found, code) => {
    const store = new Store();
    const provider = instance(store, PROVIDER, false, () => undefined);
    const text = 'module "x"\ntype 0 (i32) -> ()\ndecl 0 @f type=0 import "lib" "f"\n';
    let caught: unknown;
    try {
      instance(store, text, false, () => found(provider));
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(DiagnosticError);
    expect((caught as DiagnosticError).code).toBe(code);
  });
});

// Stack depths over hand-made call graphs.
import { describe, expect, it } from 'vitest';
import type { ObjectInfo } from '../compiler/abi/object-info.js';
import { stackDepths } from './stack-depth.js';

/** name, frame bytes, callees, has indirect calls */
type Func = readonly [string, number, readonly string[], boolean?];

function info(module: string, functions: readonly Func[], exports: readonly string[]): ObjectInfo {
  return {
    version: 1,
    module,
    functions: functions.map(([symbol, frameBytes, callees, indirectCalls = false], index) => {
      return { symbol, index, name: symbol, frameBytes, callees, indirectCalls, wasmOffset: 0, data: [] };
    }),
    memories: [],
    exports: exports.map((name, index) => {
      return { name, kind: 'func', symbol: `${module}.${name}`, index, target: name, signature: ':' };
    }),
    imports: [],
  };
}

function depths(...infos: ObjectInfo[]): Record<string, number | string> {
  const found = stackDepths(infos.map((entry) => ({ file: entry.module, info: entry })));
  return Object.fromEntries(found.map(({ name, depth }) => [name, depth.bytes ?? depth.unbounded!]));
}

describe('stackDepths', () => {
  it('takes the deepest path', () => {
    const functions: Func[] = [
      ['a', 16, ['b', 'c']],
      ['b', 32, ['d']],
      ['c', 64, []],
      ['d', 48, []],
    ];
    expect(depths(info('m', functions, ['a', 'b', 'c']))).toEqual({ a: 96, b: 80, c: 64 });
  });

  it('counts the reserve for runtime functions once, not below deeper paths', () => {
    const functions: Func[] = [
      ['a', 16, ['rt_f64_add']],
      ['b', 16, ['rt_f64_add', 'deep']],
      ['deep', 1024, []],
    ];
    expect(depths(info('m', functions, ['a', 'b']))).toEqual({ a: 528, b: 1040 });
  });

  it('has no bound for recursion and indirect calls, nor for what calls them', () => {
    const functions: Func[] = [
      ['self', 16, ['self']],
      ['ping', 16, ['pong']],
      ['pong', 16, ['ping']],
      ['indirect', 16, [], true],
      ['calls', 16, ['indirect']],
      ['fine', 16, []],
    ];
    const unbounded = depths(info('m', functions, ['self', 'ping', 'pong', 'indirect', 'calls', 'fine']));
    expect(unbounded).toEqual({
      self: 'recursion',
      ping: 'recursion',
      pong: 'recursion',
      indirect: 'indirect call',
      calls: 'indirect call',
      fine: 16,
    });
  });

  it('follows imports into the providing module', () => {
    const lib = info('lib', [['f', 100, []]], ['f']);
    const app = info('app', [['main', 28, ['lib.f']]], ['main']);
    expect(depths(lib, app)).toEqual({ f: 100, main: 128 });
  });

  it('does not overflow on deep call chains', () => {
    const functions: Func[] = Array.from({ length: 50000 }, (_, i) => [`f${i}`, 16, i === 49999 ? [] : [`f${i + 1}`]]);
    expect(depths(info('m', functions, ['f0']))).toEqual({ f0: 800000 });
  });
});

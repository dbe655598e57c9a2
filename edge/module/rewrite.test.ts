// Rewritten modules behave as the originals, apart from addresses in windows: generated modules, then windows by hand.
/// <reference lib="dom" />
import wabtInit from 'wabt';
import { describe, expect, it } from 'vitest';
import { callsFor, compareEngines } from '../../test/fuzz/compare.js';
import type { FuzzCall } from '../../test/fuzz/engine.js';
import { generateModule, type GeneratedModule } from '../../test/fuzz/generate.js';
import { NodeEngine } from '../../test/fuzz/node-engine.js';
import { connectWindows } from './window-shim.js';
import { exportOfDropped, exportOfFunc, exportOfGlobal, exportOfTable, type HostImplementation } from './interface.js';
import { rewriteForEdge } from './rewrite.js';

const outOfBounds = (): never => {
  throw new WebAssembly.RuntimeError('memory access out of bounds');
};
/** No grants at all. */
const closed: HostImplementation = {
  load_i32: outOfBounds,
  load_i64: outOfBounds,
  load_f32: outOfBounds,
  load_f64: outOfBounds,
  store_i32: outOfBounds,
  store_i64: outOfBounds,
  store_f32: outOfBounds,
  store_f64: outOfBounds,
  copy: outOfBounds,
  fill: outOfBounds,
  init: outOfBounds,
  interrupt: () => undefined,
};

class RewrittenEngine extends NodeEngine {
  override run(module: GeneratedModule, calls: readonly FuzzCall[]) {
    return super.run({ ...module, bytes: rewriteForEdge(module.bytes).bytes }, calls);
  }
  protected override instantiate(compiled: WebAssembly.Module): WebAssembly.Instance {
    const instance = super.instantiate(compiled);
    connectWindows(instance, closed);
    return instance;
  }
}

describe('rewriteForEdge', () => {
  it('keeps the meaning of generated modules', { timeout: 60_000 }, () => {
    for (let seed = 7000; seed < 7200; seed++) {
      const module = generateModule(seed);
      expect(compareEngines(module, callsFor(module), [new NodeEngine(), new RewrittenEngine()])).toBeUndefined();
    }
  });

  it('sends window accesses to the host, others to memory', async () => {
    const { instance, rewritten } = await build(`(module
      (memory 1)
      (data $d "abcdef")
      (func (export "load") (param i32) (result i32) (i32.load16_s offset=2 (local.get 0)))
      (func (export "store") (param i32 i64) (i64.store32 offset=4 (local.get 0) (local.get 1)))
      (func (export "copy") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
      (func (export "init") (param i32) (memory.init $d (local.get 0) (i32.const 1) (i32.const 3)))
      (func (export "drop") (data.drop $d)))`);
    const log: unknown[] = [];
    const note =
      (name: string, result?: unknown) =>
      (...args: unknown[]): unknown => {
        log.push([name, ...args]);
        return result;
      };
    connectWindows(instance, {
      ...closed,
      load_i32: note('load', 77),
      store_i64: note('store'),
      copy: note('copy'),
      init: note('init'),
    });
    const e = instance.exports as Record<string, (...args: unknown[]) => unknown>;
    e['store']!(8, -2n);
    expect(e['load']!(10)).toBe(-2);
    expect(e['load']!(-0x80000000 + 5)).toBe(77);
    e['store']!(-4, 9n);
    e['copy']!(16, 12, 4);
    expect(e['load']!(14)).toBe(-2);
    e['copy']!(16, -8, 4);
    e['copy']!(-8, 16, 4);
    e['init']!(32);
    e['init']!(-32);
    expect(log).toEqual([
      ['load', -0x80000000 + 5, 2, 0x2e],
      ['store', -4, 9n, 4, 0x3e],
      ['copy', 16, -8, 4],
      ['copy', -8, 16, 4],
      ['init', -32, 1, 3, 0],
    ]);
    const dropped = instance.exports[exportOfDropped('data', 0)] as WebAssembly.Global;
    expect(dropped.value).toBe(0);
    e['drop']!();
    expect(dropped.value).toBe(1);
    expect(Buffer.from(rewritten.segments[0]!).toString()).toBe('abcdef');
  });

  it('shows the host what a snapshot needs', async () => {
    const { instance, rewritten } = await build(`(module
      (table 3 funcref) (global $a (mut i32) (i32.const 5)) (global i32 (i32.const 6)) (global $b (mut i64) (i64.const 7))
      (func $f) (func $g) (func $h) (elem (i32.const 1) $g) (elem declare func $h)
      (func (export "put") (table.set (i32.const 0) (ref.func $h)) (global.set $b (i64.const 9))))`);
    expect(rewritten.referenced).toEqual([1, 2]);
    (instance.exports['put'] as () => void)();
    expect((instance.exports[exportOfGlobal(2)] as WebAssembly.Global).value).toBe(9n);
    expect(instance.exports[exportOfGlobal(1)]).toBeUndefined();
    const table = instance.exports[exportOfTable(0)] as WebAssembly.Table;
    expect([0, 1, 2].map((i) => table.get(i))).toEqual([
      instance.exports[exportOfFunc(2)],
      instance.exports[exportOfFunc(1)],
      null,
    ]);
  });

  it('maps code offsets back', async () => {
    const { instance, rewritten, original } = await build(`(module (memory 1)
      (func (export "go") (param i32) (i32.store (i32.const 0) (i32.load (local.get 0))) unreachable))`);
    let stack = '';
    try {
      (instance.exports['go'] as (n: number) => void)(0);
    } catch (error) {
      stack = (error as Error).stack!;
    }
    const offset = parseInt(/:0x([0-9a-f]+)/.exec(stack)![1]!, 16);
    expect(original[rewritten.originalOffset(offset)]).toBe(0x00);
    expect(rewritten.originalOffset(offset)).toBe(original.lastIndexOf(0x00, original.length - 2));
  });
});

async function build(wat: string) {
  const wabt = await wabtInit();
  const parsed = wabt.parseWat('test.wat', wat);
  const original = parsed.toBinary({}).buffer;
  const rewritten = rewriteForEdge(original);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(rewritten.bytes as BufferSource));
  return { instance, rewritten, original };
}

// What is trimmed, what is not, and what a limit does, on modules made from WAT.
import { describe, expect, it } from 'vitest';
import wabtModule from 'wabt';
import { frontend } from '../compiler/driver.js';
import type { IrModule } from '../compiler/ir/module.js';
import { planMemories } from './memory-plan.js';

const wabt = await wabtModule();

function module(name: string, text: string): IrModule {
  const parsed = wabt.parseWat(`${name}.wat`, text);
  const { buffer } = parsed.toBinary({});
  parsed.destroy();
  return frontend(buffer, { file: `${name}.wasm` });
}

const HEAP = '(memory (export "memory") 1) (global (export "__heap_base") i32 (i32.const 4000))';

function decide(text: string, options = {}) {
  return planMemories([module('m', `(module ${text})`)], options).decisions[0]!;
}

describe('planMemories', () => {
  it('trims a memory whose upper part nobody names', () => {
    const text = `${HEAP} (data (i32.const 16) "hello") (func (export "f") (result i32) (i32.load (i32.const 3992)))`;
    expect(decide(text)).toMatchObject({ bytes: 4000, declaredBytes: 65536, reason: 'trimmed', growable: false });
    const planned = planMemories([module('m', `(module ${text})`)]).modules[0]!.memories[0]!;
    expect(planned.minPages * 2 ** planned.pageShift).toBe(4000);
    expect(planned.growable).toBe(false);
  });

  it.each([
    ['asks for the size', '(func (export "f") (result i32) memory.size)'],
    ['grows', '(func (export "f") (result i32) (memory.grow (i32.const 1)))'],
    ['names the heap base', '(func (export "f") (result i32) (i32.load (i32.const 4000)))'],
    ['names a higher address', '(func (export "f") (result i32) (i32.const 60000))'],
    ['has an offset above', '(func (export "f") (param i32) (result i32) (i32.load offset=5000 (local.get 0)))'],
    ['has a pointer above in its data', '(data (i32.const 0) "\\00\\40\\00\\00") (func (export "f"))'],
  ])('keeps the whole memory of a module that %s', (_what, body) => {
    expect(decide(`${HEAP} ${body}`)).toMatchObject({ bytes: 65536, reason: 'whole' });
  });

  it('keeps the memory without a __heap_base, and when told to', () => {
    const body = '(func (export "f"))';
    expect(decide(`(memory 1) ${body}`)).toMatchObject({ bytes: 65536, reason: 'whole', growable: false });
    expect(decide(`${HEAP} ${body}`, { trim: false })).toMatchObject({ bytes: 65536, reason: 'whole' });
  });

  it('obeys a limit', () => {
    expect(decide('(memory 1) (func (export "f"))', { limit: 8192 })).toMatchObject({ bytes: 8192, reason: 'limited' });
    expect(decide('(memory 1)', { limit: 100000 })).toMatchObject({ bytes: 65536, reason: 'whole' });
    const grows = '(memory 1) (func (export "f") (result i32) memory.size)';
    expect(decide(grows, { limit: 8192 })).toMatchObject({ bytes: 0, reason: 'limited' });
    const large = '(memory 256) (func (export "f") (result i32) (memory.grow (i32.const 1)))';
    expect(decide(large, { limit: 200000 })).toMatchObject({ bytes: 196608, reason: 'limited', growable: true });
  });

  it('leaves a memory alone that another module imports', () => {
    const lib = module('lib', `(module ${HEAP})`);
    const app = module('app', '(module (import "lib" "memory" (memory 1)))');
    const { decisions } = planMemories([lib, app]);
    expect(decisions).toHaveLength(1);
    expect(decisions[0]).toMatchObject({ module: 'lib', bytes: 65536, reason: 'whole', growable: true });
  });
});

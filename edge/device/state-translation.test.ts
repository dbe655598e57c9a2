// State to a device's snapshot stream and back: random modules that have run on the edge's engine, linked for a slot; and
// streams that lie.
/// <reference lib="dom" />
import { beforeAll, describe, expect, it } from 'vitest';
import { ESP32 } from '../../compiler/abi/boards.js';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { linkDescription, readLinkDescription, type BaseImage } from '../../manifest/base.js';
import { buildThings } from '../../manifest/build.js';
import { loadManifest } from '../../manifest/load.js';
import { embedManifest } from '../../manifest/section.js';
import { DEFAULT_OPTIONS, generateModule, I64 } from '../../test/fuzz/generate.js';
import { STAND_IN_RUNTIME } from '../../test/support/things.js';
import { wat } from '../../test/support/wat.js';
import { rewriteForEdge } from '../module/rewrite.js';
import { connectWindows } from '../module/window-shim.js';
import { takeSnapshot, type ScalarSnapshot } from '../worker/snapshot.js';
import type { ModuleState } from '../host/types.js';
import { compileForSlot, type CompiledSlot } from './compile-job.js';
import { fromDevice, readHeader, STREAM_HEADER_BYTES, streamBytes, toDevice } from './state-translation.js';

const RANDOM_MODULES = Number(process.env['STATE_MODULES'] ?? 12);
const IDENTITY = 0x1234abcd;

let image: BaseImage;
beforeAll(async () => {
  const things = {
    name: 'base',
    version: '1.0.0',
    modules: [{ name: 'other', wasm: 'other.wasm', version: '1.0.0', stack: 1024 }],
    slots: [{ name: 'main', pages: 8, ram: 160 * 1024 }],
  };
  const built = buildThings(
    loadManifest(Buffer.from(JSON.stringify(things)), 'things.json'),
    new Map([['other', { bytes: await wat('(module)'), file: 'other.wasm' }]]),
    { board: ESP32, compile: {}, runtime: STAND_IN_RUNTIME },
  );
  const description = linkDescription(built.linked, built.slots);
  image = readLinkDescription(Buffer.from(JSON.stringify(description)), 'base.slots.json');
});

/** Compiles for the slot `main`. */
function compile(bytes: Uint8Array, entry: object = {}): CompiledSlot {
  const module = { name: 'm', version: '1.0.0', stack: 8192, memory: { max: 65536 }, ...entry };
  const wasm = embedManifest(bytes, { thingspire: 1, module, types: {} });
  return compileForSlot({ wasm, image, slot: 'main', file: 'm.wasm' });
}

const stateOf = (scalars: ScalarSnapshot, more: Partial<ModuleState> = {}): ModuleState => {
  return { scalars, timers: [], subscriptions: [], ...more };
};

/** Runs on the edge's engine and gives the state. */
function edgeState(bytes: Uint8Array, calls: readonly (readonly [name: string, ...args: (number | bigint)[]])[]) {
  const rewritten = rewriteForEdge(bytes);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(rewritten.bytes as BufferSource), {});
  const nothing = (): never => {
    throw new WebAssembly.RuntimeError('no window');
  };
  connectWindows(instance, new Proxy({}, { get: () => nothing }) as Parameters<typeof connectWindows>[1]);
  for (const [name, ...args] of calls) {
    try {
      (instance.exports[name] as (...values: unknown[]) => unknown)(...args);
    } catch (error) {
      // A trap; what was done before stays.
      if (!(error instanceof WebAssembly.RuntimeError) && !(error instanceof RangeError)) throw error;
    }
  }
  return takeSnapshot(instance, rewritten)!;
}

function code(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof DiagnosticError) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'none';
}

const VARIED = `(module
  (type $v (func))
  (memory (export "memory") 1 2)
  (table $a 4 8 funcref) (table $b 2 funcref) (table $host 1 externref)
  (elem (table $a) (i32.const 1) func $f $g) (elem $passive func $g $h $f) (elem declare func $h)
  (data (i32.const 16) "active") (data $kept "kept") (data $gone "gone")
  (global $i (mut i32) (i32.const -7)) (global $l (mut i64) (i64.const 0x123456789abcdef0))
  (global $s (mut f32) (f32.const nan:0x212345)) (global $d (mut f64) (f64.const -0.0))
  (global $fixed i32 (i32.const 99)) (global $ref funcref (ref.func $h))
  (func $f (export "f") (global.set $i (i32.add (global.get $i) (i32.const 1))))
  (func $g (export "g") (global.set $l (i64.mul (global.get $l) (i64.const 3))))
  (func $h (export "h") (global.set $d (f64.add (global.get $d) (f64.const 0.1))))
  (func (export "drop") (data.drop $gone) (memory.init $kept (i32.const 100) (i32.const 0) (i32.const 4)))
  (func (export "refer") (table.init $a $passive (i32.const 0) (i32.const 0) (i32.const 2)) (elem.drop $passive)
    (table.set $b (i32.const 1) (global.get $ref)))
  (func (export "more") (drop (table.grow $a (ref.func $h) (i32.const 2))))
  (func (export "pages") (drop (memory.grow (i32.const 1))) (i32.store (i32.const 70000) (i32.const 77)))
  (func (export "fill") (memory.init $kept (i32.const 0) (i32.const 0) (i32.const 1))
    (i64.store (i32.const 65000) (global.get $l)) (f32.store (i32.const 8) (global.get $s))
    (global.set $s (f32.add (global.get $s) (f32.const 1)))))`;

describe('state of a module', () => {
  it('has every kind of part', { timeout: 60_000 }, async () => {
    const bytes = await wat(VARIED);
    const { state: layout } = compile(bytes, { memory: { max: 65536 } });
    const all = ['f', 'g', 'h', 'drop', 'refer', 'more', 'fill'];
    for (let n = 0; n <= all.length; n++) {
      const scalars = edgeState(
        bytes,
        all.slice(0, n).map((name) => [name]),
      );
      const state = stateOf(scalars, {
        timers: [
          { id: 0, remainingMs: 0, periodMs: 0 },
          { id: 3, remainingMs: 1234, periodMs: 60_000 },
        ],
        subscriptions: [
          { id: 0, uri: '/dev/gpio/2', address: 0, capacity: 4 },
          { id: 2, uri: '//other/température', address: 512, capacity: 64 },
        ],
      });
      const stream = toDevice(state, layout, IDENTITY);
      expect(readHeader(stream, layout).identity).toBe(IDENTITY);
      expect(streamBytes(readHeader(stream, layout))).toBe(stream.length);
      expect(fromDevice(stream, layout)).toEqual(state);
    }
  });

  it('of random modules is the same afterwards', { timeout: 300_000 }, () => {
    let moved = 0;
    for (let seed = 1; moved < RANDOM_MODULES; seed++) {
      const generated = generateModule(seed, DEFAULT_OPTIONS);
      if (generated.memories > 1) continue;
      const rewritten = rewriteForEdge(generated.bytes);
      if (rewritten.module.memories.some(({ min }) => min > 1)) continue;
      const names = generated.functions.map((_, i) => `f${i}`);
      const calls = names.map((name, i): [string, ...(number | bigint)[]] => [
        name,
        ...generated.functions[i]!.params.map((type, k) => (type === I64 ? BigInt(k * 7 - 3) : k * 5 - 2)),
      ]);
      let compiled: CompiledSlot;
      try {
        compiled = compile(generated.bytes, { stack: 16384, memory: { max: 131072 } });
      } catch (error) {
        // Too many parameters, too deep a stack: no module of the device OS.
        if (error instanceof DiagnosticError) continue;
        throw error;
      }
      const state = stateOf(edgeState(generated.bytes, calls));
      if (state.scalars.memories.some(({ length }) => length > 131072)) continue;
      const stream = toDevice(state, compiled.state, IDENTITY);
      expect(fromDevice(stream, compiled.state)).toEqual(state);
      moved++;
    }
  });

  it('grows with a memory, as far as there is room', async () => {
    const bytes = await wat(VARIED);
    const grown = edgeState(bytes, [['fill'], ['pages']]);
    const small = compile(bytes, { memory: { max: 65536 } }).state;
    expect(code(() => toDevice(stateOf(grown), small, IDENTITY))).toMatch(/^W903 .*131072 bytes of memory.*65536/);
    const large = compile(bytes, { memory: { max: 131072 } }).state;
    expect(fromDevice(toDevice(stateOf(grown), large, IDENTITY), large)).toEqual(stateOf(grown));
  });

  it('leaves out memory that the module cannot use there', async () => {
    const bytes = await wat(`(module (memory 1) (func (export "set") (param i32 i32)
      (i32.store8 (local.get 0) (local.get 1))))`);
    const { state: layout } = compile(bytes, { memory: { max: 4096 } });
    const state = stateOf(edgeState(bytes, [['set', 4095, 7]]));
    const stream = toDevice(state, layout, IDENTITY);
    expect(readHeader(stream, layout).memoryBytes).toBe(4096);
    expect(fromDevice(stream, layout)).toEqual(state);
    const outside = stateOf(edgeState(bytes, [['set', 4096, 7]]));
    expect(code(() => toDevice(outside, layout, IDENTITY))).toMatch(/^W903 .*4097 bytes of memory.*4096/);
  });

  it.each([
    ['(module (memory 0) (memory 0))', 'more than one memory'],
    ['(module (global (mut funcref) (ref.null func)))', 'a reference that can change'],
  ])('of %s does not move', async (text, reason) => {
    const bytes = await wat(text);
    expect(code(() => compile(bytes))).toMatch(new RegExp(`^W903 .*${reason}`));
  });

  it('is not believed blindly', async () => {
    const bytes = await wat(VARIED);
    const { state: layout } = compile(bytes);
    const state = stateOf(edgeState(bytes, [['f'], ['fill']]));
    const stream = toDevice(state, layout, IDENTITY);
    const changed = (at: number, value: number): Uint8Array => {
      const copy = Buffer.from(stream);
      copy.writeUInt32LE(value, at);
      return copy;
    };
    const table = layout.tables[0]!;
    const bss = STREAM_HEADER_BYTES + Buffer.from(layout.data, 'base64').length;
    const wrong: Record<string, Uint8Array> = {
      nothing: new Uint8Array(0),
      cut: stream.subarray(0, stream.length - 4),
      longer: Buffer.concat([stream, Buffer.alloc(4)]),
      'of another kind': changed(0, 0x31535354),
      'of another package': changed(8, 4),
      'with too much memory': changed(16, 0x7fffffff),
      'with a wild reference': changed(bss + table.entries - layout.bssStart, 0x40080001),
      'with a table too long': changed(STREAM_HEADER_BYTES + table.address - layout.dataStart + 4, 1000),
      'with too many timers': changed(stream.length - 8, 5),
    };
    for (const [name, bad] of Object.entries(wrong))
      expect(
        code(() => fromDevice(bad, layout)),
        name,
      ).toMatch(/^W903/);
  });
});

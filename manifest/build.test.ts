// The tables of a linked application, read back from the image with the layouts of compiler/abi as the kernel reads them;
// RAM, stacks and load images of modules; what does not fit. The kernel itself is not needed: a small object stands in.
import { beforeAll, describe, expect, it } from 'vitest';
import { ESP32 } from '../compiler/abi/boards.js';
import { WASM_MODULE } from '../compiler/abi/layout.js';
import { STACK_RESERVE_BYTES } from '../compiler/abi/linker-symbols.js';
import {
  BOOT_TABLE_SYMBOL,
  KERNEL_HOOKS_SYMBOL,
  SYS_WITH_SLOTS_SYMBOL,
  TS_BOOT_TABLE,
  TS_CONTRACT,
  TS_FIELD,
  TS_MODULE_INFO,
  TS_REQUIREMENT,
  TS_SERVICE,
  TS_SLOT,
  TS_TYPE,
} from '../compiler/abi/os-layout.js';
import { DiagnosticError, DiagnosticErrors } from '../compiler/diagnostics.js';
import { readFlashImage } from '../linker/image/read.js';
import { LinkedMemory, STAND_IN_RUNTIME } from '../test/support/things.js';
import { wat } from '../test/support/wat.js';
import { buildThings } from './build.js';
import type { ThingsBuild, ThingsOptions } from './build.js';
import { loadManifest } from './load.js';

const COUNTER = `(module
  (import "thingspire" "notify" (func $notify (param i32 i32) (result i32)))
  (memory (export "memory") 1 4)
  (table 2 funcref) (elem (i32.const 0) func $get $get)
  (global $n (mut i32) (i32.const 7)) (global $wide (mut i64) (i64.const 0x1122334455667788))
  (data (i32.const 16) "count")
  (func $get (export "get") (param i32 i32 i32 i32) (result i32)
    (global.set $n (i32.add (global.get $n) (i32.const 1)))
    (drop (memory.grow (i32.const 0)))
    (i32.store (local.get 2) (global.get $n))
    (i32.add (i32.const 0x45000004) (call $notify (i32.const 16) (i32.const 5))))
  (func (export "put") (param i32 i32 i32 i32) (result i32) (global.set $n (i32.load (local.get 0))) (i32.const 0x44))
  (func (export "on_timer") (param i32)))`;
const SILENT = '(module (func (export "get") (param i32 i32 i32 i32) (result i32) (i32.const 0x45)))';

const THINGS = {
  name: 'demo',
  version: '1.0.0',
  types: {
    Count: {
      type: 'record',
      fields: [
        { name: 'flag', type: 'bool' },
        { name: 'value', type: 'i32', min: -5, max: 1000 },
        { name: 'ratio', type: 'f32', max: 0.5 },
        { name: 'free', type: 'u64' },
      ],
    },
    Counts: { type: 'array', of: 'Count', min: 1, max: 4 },
  },
  modules: [
    {
      name: 'counter',
      wasm: 'counter.wasm',
      version: '1.2.3',
      stack: 2040,
      priority: 2,
      memory: { max: 131072 },
      restart: { policy: 'always', max: 3, backoff: '1.5s' },
      startDeadline: '1s',
      eventDeadline: '250us',
      provides: [
        {
          method: 'GET',
          path: '/count',
          handler: 'get',
          observable: true,
          attributes: { rt: 'count', title: 'A count', ct: 42 },
          contract: { response: 'Count', deadline: '2ms', rate: '100/s' },
        },
        {
          method: 'PUT',
          path: '/count/{id}',
          handler: 'put',
          contract: { request: 'Counts', callers: ['reader', 'counter'] },
        },
      ],
    },
    {
      name: 'reader',
      wasm: 'reader.wasm',
      version: '0.1.0',
      requires: [
        { path: '/count', methods: ['GET'] },
        { path: '/count/7', methods: ['PUT'], timeout: '3s' },
        { path: '//porch/log/*', methods: ['GET', 'DELETE'] },
      ],
    },
  ],
  slots: [
    { name: 'first', pages: 2, ram: 16384 },
    { name: 'second', pages: 1, ram: 5000 },
  ],
};

const wasm = new Map<string, Uint8Array>();
beforeAll(async () => {
  wasm.set('counter', await wat(COUNTER)).set('silent', await wat(SILENT));
});

function build(
  things: object = THINGS,
  modules: Record<string, string> = { reader: 'silent' },
  more: Partial<ThingsOptions> = {},
): ThingsBuild {
  const loaded = loadManifest(Buffer.from(JSON.stringify(things)), 'things.json');
  const inputs = new Map(
    loaded.app.modules.map(({ name }) => {
      const bytes = wasm.get(modules[name] ?? name)!;
      return [name, { bytes, file: `${name}.wasm`, name }];
    }),
  );
  return buildThings(loaded, inputs, {
    board: ESP32,
    compile: {},
    runtime: STAND_IN_RUNTIME,
    publicKey: new Uint8Array(32).fill(9),
    ...more,
  });
}

describe('tables', () => {
  let built: ThingsBuild;
  let memory: LinkedMemory;
  let boot: Record<string, number>;
  let infos: Record<string, number>[];
  const address = (name: string): number => built.linked.symbols.get(name)!.address;
  beforeAll(() => {
    built = build();
    memory = new LinkedMemory(built.linked);
    boot = memory.struct(TS_BOOT_TABLE, address(BOOT_TABLE_SYMBOL));
    infos = Array.from({ length: boot['count']! }, (_, i) =>
      memory.struct(TS_MODULE_INFO, memory.view(boot['modules']! + 4 * i, 4).getUint32(0, true)),
    );
  });

  it('lead from the boot table to modules, key and slots', () => {
    expect(boot['kernel']).toBe(address(KERNEL_HOOKS_SYMBOL));
    expect(boot['sys']).toBe(address(SYS_WITH_SLOTS_SYMBOL));
    expect(infos.map((info) => memory.text(info['name']!))).toEqual(['counter', 'reader']);
    expect(memory.view(boot['public_key']!, 32).getUint32(28)).toBe(0x09090909);
    const slots = memory.array(TS_SLOT, boot['slots']!, boot['slot_count']!);
    expect(slots.map((slot) => memory.text(slot['name']!))).toEqual(['first', 'second']);
    expect(slots[0]).toMatchObject({ code_base: 0x403e0000, rodata_base: 0x3f7d0000, pages: 2, ram_bytes: 16384 });
    expect(slots[0]).toMatchObject({ flash_a: 0x3b0000, flash_b: 0x3d0000, ram_base: 0x40000000 - 16384 });
    expect(slots[1]).toMatchObject({ code_base: 0x403d0000, flash_a: 0x390000, flash_b: 0x3a0000, ram_bytes: 5008 });
    expect(boot['journal_flash']).toBe(0x3f0000);
    expect(boot['base_id']).not.toBe(0);
  });
  it('say of a module what its manifest says', () => {
    expect(infos[0]).toMatchObject({
      wasm: address('counter$module'),
      priority: 2,
      restart: 2,
      max_restarts: 3,
      backoff_ms: 1500,
      start_deadline_cycles: 40_000_000,
      event_deadline_cycles: 10_000,
      on_start: 0,
      on_timer: address('counter.on_timer'),
      on_notify: 0,
      memory: address('counter$memory0'),
      service_count: 2,
      requirement_count: 0,
    });
    expect(infos[1]).toMatchObject({ memory: 0, service_count: 0, requirement_count: 3, priority: 1, restart: 1 });
    expect(memory.text(infos[0]!['version']!)).toBe('1.2.3');
  });
  it('say of services who handles what and for whom', () => {
    const [get, put] = memory.array(TS_SERVICE, infos[0]!['services']!, 2) as [
      Record<string, number>,
      Record<string, number>,
    ];
    expect(memory.text(get['path']!)).toBe('count');
    expect(memory.text(get['attributes']!)).toBe(';rt="count";title="A count";ct=42;obs');
    expect(get).toMatchObject({ handler: address('counter.get'), method: 1, observable: 1 });
    expect(memory.text(put['path']!)).toBe('count/{id}');
    expect(put).toMatchObject({ handler: address('counter.put'), method: 3, observable: 0 });
    const contracts = [get, put].map((service) => memory.struct(TS_CONTRACT, service['contract']!));
    expect(contracts[0]).toMatchObject({
      request: 0,
      deadline_cycles: 80_000,
      rate_per_second: 100,
      burst: 100,
      callers: 0,
    });
    expect(contracts[1]).toMatchObject({ response: 0, deadline_cycles: 400_000, rate_per_second: 0, caller_count: 2 });
    const callers = memory.view(contracts[1]!['callers']!, 8);
    expect([0, 4].map((at) => memory.text(callers.getUint32(at, true)))).toEqual(['reader', 'counter']);
    const count = memory.struct(TS_TYPE, contracts[0]!['response']!);
    const counts = memory.struct(TS_TYPE, contracts[1]!['request']!);
    expect(count).toMatchObject({ kind: 4, field_count: 3, element_bytes: 24, min_bytes: 24, max_bytes: 24 });
    expect(counts).toMatchObject({ kind: 5, field_count: 3, element_bytes: 24, min_bytes: 24, max_bytes: 96 });
    const fields = memory.array(TS_FIELD, count['fields']!, 3);
    expect(fields[0]).toEqual({ offset: 0, kind: 10, count: 1, min: 0, max: 1 });
    expect(fields[1]).toEqual({ offset: 4, kind: 5, count: 1, min: -5 >>> 0, max: 1000 });
    expect(fields[2]).toEqual({ offset: 8, kind: 6, count: 1, min: 0xff800000, max: 0x3f000000 });
  });
  it('say of requirements what may be called', () => {
    const requirements = memory.array(TS_REQUIREMENT, infos[1]!['requirements']!, 3);
    expect(requirements.map((entry) => memory.text(entry['path']!))).toEqual(['count', 'count/7', '/porch/log/*']);
    expect(requirements[0]).toMatchObject({ methods: 2, host: 0, deadline_ms: 0 });
    expect(requirements[1]).toMatchObject({ methods: 8, host: 0, deadline_ms: 3000 });
    expect(requirements[2]).toMatchObject({ methods: 18, host: 1 });
  });

  it('give every module a stack and RAM of its own', () => {
    const ranges: [number, number][] = [];
    for (const info of infos) {
      const {
        stack_bottom: bottom,
        stack_top: top,
        data_start: data,
        bss_start: bss,
      } = info as never as Record<string, number>;
      expect(bottom! % 16).toBe(0);
      expect(memory.struct(WASM_MODULE, info['wasm']!)['stack_limit']).toBe(bottom! + STACK_RESERVE_BYTES);
      ranges.push([bottom!, top!], [data!, data! + info['data_bytes']!], [bss!, bss! + info['bss_bytes']!]);
    }
    for (const { address: base, capacity } of built.linked.memories) ranges.push([base, base + capacity]);
    for (const { ramBase, ramBytes } of built.slots) ranges.push([ramBase, ramBase + ramBytes]);
    for (const { address: base, size, copied } of built.linked.segments)
      if (
        copied !== true &&
        base >= ESP32.dramLoadable.base &&
        base < ESP32.dram.end &&
        built.linked.sections.some((s) => s.address === base && s.origin === 'runtime')
      )
        ranges.push([base, base + size]);
    const used = ranges.filter(([from, to]) => to > from).sort((a, b) => a[0] - b[0]);
    for (let i = 1; i < used.length; i++) expect(used[i]![0]).toBeGreaterThanOrEqual(used[i - 1]![1]);
    expect(infos[0]!['stack_top']! - infos[0]!['stack_bottom']!).toBe(2048);
  });
  it('have a load image that equals the RAM after a start', () => {
    const info = infos[0]!;
    const load = memory.view(info['data_load']!, info['data_bytes']!);
    const globals = built.linked.symbols.get('counter$global0')!.address - info['data_start']!;
    expect(load.getUint32(globals, true)).toBe(7);
    expect(load.getBigUint64(globals + 4, true)).toBe(0x1122334455667788n);
    const struct = address('counter$memory0') - info['data_start']!;
    expect(load.getUint32(struct, true)).toBe(address('counter$memory0.data'));
    const copied = built.linked.segments.find((segment) => segment.name === '.data.counter')!;
    expect(copied.address).toBe(info['data_start']);
    expect(Buffer.from(copied.bytes!)).toEqual(Buffer.from(load.buffer, load.byteOffset, load.byteLength));
  });
  it('share RAM between memories without a budget, below the limit for all', () => {
    const [counter] = THINGS.modules;
    const { memory: _, ...open } = counter!;
    const alone = { ...THINGS, modules: [{ ...open, provides: [] }], slots: [] };
    const capacity = (limit?: number): number => {
      const memory = limit === undefined ? {} : { limit };
      return build(alone, {}, { memory }).linked.memories[0]!.capacity;
    };
    expect(capacity()).toBe(4 * 65536);
    expect(capacity(100_000)).toBe(65536);
    expect(capacity(2 * 65536)).toBe(2 * 65536);
  });
  it('keep the budget of a memory that grows', () => {
    expect(built.linked.memories).toMatchObject([{ module: 'counter', bytes: 65536, capacity: 131072 }]);
  });
  it('are in an image that the mask ROM loads without the copies', () => {
    const image = readFlashImage(built.image, 'app.bin');
    const info = infos[0]!;
    for (const { address: base, bytes } of image.segments)
      expect(base + bytes.length <= info['data_start']! || base > info['data_start']!).toBe(true);
  });
});

describe('faults of modules', () => {
  const codes = (things: object, modules: Record<string, string>): string[] => {
    try {
      build(things, modules);
    } catch (error) {
      if (!(error instanceof DiagnosticError)) throw error;
      return (error instanceof DiagnosticErrors ? error.all : [error]).map(
        ({ code, place }) => `${code} ${place.pointer}`,
      );
    }
    return [];
  };
  const one = (more: object): object => ({
    name: 'x',
    version: '1.0.0',
    modules: [{ name: 'm', wasm: 'm.wasm', version: '1.0.0', ...more }],
  });
  const with_ = async (text: string, more: object): Promise<string[]> => {
    wasm.set('m', await wat(text));
    return codes(one(more), {});
  };
  const provides = [{ method: 'GET', path: '/a', handler: 'get' }];

  it('exports', async () => {
    expect(await with_('(module)', { provides })).toEqual(['W803 /modules/0/provides/0/handler']);
    expect(await with_('(module (func (export "get")))', { provides })).toEqual(['W803 /modules/0/provides/0/handler']);
    expect(await with_('(module (func (export "on_start") (param i32)))', {})).toEqual(['W803 /modules/0']);
  });
  it('imports', async () => {
    expect(await with_('(module (import "thingspire" "call" (func (param i32))))', {})).toEqual(['W803 /modules/0']);
    expect(await with_('(module (import "other" "f" (func)))', {})).toEqual(['W803 /modules/0']);
    expect(await with_('(module (import "thingspire" "telepathy" (func)))', {})).toEqual(['W803 /modules/0']);
    expect(await with_('(module (import "env" "memory" (memory 1)))', {})).toEqual(['W803 /modules/0']);
    const wide = `(module (func (param ${'i64 '.repeat(12)})))`;
    expect(await with_(wide, {})).toEqual(['W811 /modules/0']);
  });
  it('budgets', async () => {
    const sized = '(module (memory 1) (func (export "get") (param i32 i32 i32 i32) (result i32) memory.size))';
    expect(await with_(sized, { provides, memory: { max: 4096 } })).toEqual(['W809 /modules/0/memory/max']);
    const data = '(module (memory (export "memory") 1) (global (export "__heap_base") i32 (i32.const 5000)))';
    expect(await with_(data, { memory: { max: 4096 } })).toEqual(['W809 /modules/0/memory/max']);
    expect(await with_(data, { memory: { max: 5008 } })).toEqual([]);
  });
  it('stacks', async () => {
    const locals = Array.from({ length: 200 }, (_, i) => `(local.set ${i + 4} (i64.load (i32.const ${8 * i})))`).join(
      '',
    );
    const use = Array.from(
      { length: 200 },
      (_, i) => `(i64.store (i32.const ${8 * i}) (i64.mul (local.get ${i + 4}) (local.get ${203 - i})))`,
    ).join('');
    const deep = `(module (memory 1) (func (export "get") (param i32 i32 i32 i32) (result i32) (local ${'i64 '.repeat(200)}) ${locals} (loop (br_if 0 (i32.load (local.get 0)))) ${use} i32.const 69))`;
    expect(await with_(deep, { provides, stack: 1024 })).toEqual(['W808 /modules/0/stack']);
    expect(await with_(deep, { provides, stack: 8192 })).toEqual([]);
  });
  it('slots beyond the board', () => {
    const many = (count: number, pages: number, ram: number): object => {
      const slots = Array.from({ length: count }, (_, i) => ({ name: `s${i}`, pages, ram }));
      return { ...THINGS, slots };
    };
    expect(codes(many(8, 16, 4096), { reader: 'silent' })).toEqual(['W812 /slots']);
    expect(codes(many(2, 1, 262144), { reader: 'silent' })).toEqual(['W812 /slots']);
    expect(codes(many(3, 10, 4096), { reader: 'silent' })).toEqual([]);
  });
  it('more RAM than there is', async () => {
    const big = '(module (memory 4))';
    expect(await with_(`${big}`, {})).toEqual([]);
    expect(
      await with_('(module (memory 6) (func (export "get") (param i32 i32 i32 i32) (result i32) memory.size))', {}),
    ).toEqual(['W403 undefined']);
  });
});

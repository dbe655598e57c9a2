// Small hand-made objects linked whole and into slots: addresses, bytes at them, and every diagnostic of the linker.
import { describe, expect, it } from 'vitest';
import { ESP32, ESP32_LARGE } from '../compiler/abi/boards.js';
import type { ObjectInfo } from '../compiler/abi/object-info.js';
import { decodeAt } from '../backend-xtensa/isa/decode.js';
import { encode } from '../backend-xtensa/isa/encode.js';
import { Op } from '../backend-xtensa/isa/table.js';
import { DiagnosticError } from '../compiler/diagnostics.js';
import { R_XTENSA } from './elf-constants.js';
import { writeFlashImage } from './image/flash.js';
import { readFlashImage } from './image/read.js';
import { LinkerSymbol } from '../compiler/abi/linker-symbols.js';
import { link, linkInto } from './link.js';
import type { LinkedImage } from './linked.js';
import { formatMap } from './map-file.js';
import type { InputObject } from './object.js';
import { readObject } from './read-object.js';
import { makeObject } from '../test/support/make-object.js';
import type { TestSection, TestSymbol } from '../test/support/make-object.js';

const CODE = 6;
const DATA = 3;
const RODATA = 2;

function word24(word: number): number[] {
  return [word & 255, (word >> 8) & 255, (word >> 16) & 255];
}
const CALL = word24(encode(Op.CALL0, [0], 0));
const CALL_AT_0 = word24(encode(Op.CALL0, [4], 0));
const NOP = word24(encode(Op.NOP, [], 0));

function object(
  name: string,
  sections: TestSection[],
  symbols: TestSymbol[],
  origin: 'runtime' | 'module' = 'runtime',
  info?: ObjectInfo,
): InputObject {
  const extra: TestSection[] =
    info === undefined ? [] : [{ name: '.wasm.info', flags: 0, content: Buffer.from(JSON.stringify(info)), align: 1 }];
  return readObject(makeObject([...sections, ...extra], symbols), name, origin);
}

/** A function that calls `callee` and has a literal with the address of `data`. */
function runtime(callee = 'work'): InputObject {
  return object(
    'runtime.o',
    [
      { name: '.vectors', flags: CODE, content: new Uint8Array(0x400), align: 1024 },
      {
        name: '.text.start',
        flags: CODE,
        content: Uint8Array.from([0, 0, 0, 0, ...CALL_AT_0, ...NOP, 0, 0]),
        relocations: [
          [0, R_XTENSA.ABS32, 'counter', 4],
          [4, R_XTENSA.SLOT0_OP, callee, 0],
        ],
      },
      { name: '.text.unused', flags: CODE, content: Uint8Array.from([...NOP, 0]) },
      { name: '.data.counter', flags: DATA, content: Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]) },
      { name: '.bss.buffer', flags: DATA, content: 100 },
    ],
    [
      { name: 'rt_start', section: '.text.start', value: 4, type: 2, size: 6 },
      { name: callee, section: 'undefined' },
      { name: 'unused', section: '.text.unused', type: 2 },
      { name: 'counter', section: '.data.counter', type: 1, size: 8 },
      { name: '__wasm_stack_top', section: 'undefined' },
    ],
  );
}

function moduleInfo(name: string, over: Partial<ObjectInfo> = {}): ObjectInfo {
  return { version: 1, module: name, functions: [], memories: [], exports: [], imports: [], ...over };
}

function moduleObject(codeBytes = 16, memoryBytes = 0, info = moduleInfo('app')): InputObject {
  const code = new Uint8Array(codeBytes);
  code.set(CALL, 0);
  const sections: TestSection[] = [
    { name: '.text.work', flags: CODE, content: code, relocations: [[0, R_XTENSA.SLOT0_OP, 'rt_start', 0]] },
    { name: '.rodata.text', flags: RODATA, content: Buffer.from('hello\0'), align: 1 },
    {
      name: '.wasm_modules',
      flags: RODATA,
      content: new Uint8Array(4),
      relocations: [[0, R_XTENSA.ABS32, 'text', 0]],
    },
  ];
  const symbols: TestSymbol[] = [
    { name: 'work', section: '.text.work', type: 2, size: codeBytes },
    { name: 'text', section: '.rodata.text', binding: 'local' },
    { name: 'rt_start', section: 'undefined' },
  ];
  if (memoryBytes > 0) {
    sections.push({ name: '.wasm_memory.0', flags: DATA, content: memoryBytes, align: 16 });
    sections.push({
      name: '.data.memory',
      flags: DATA,
      content: new Uint8Array(8),
      relocations: [
        [0, R_XTENSA.ABS32, 'app$memory0.data', 0],
        [4, R_XTENSA.ABS32, 'app$memory0.capacity', 0],
      ],
    });
    sections[2] = { ...sections[2]!, relocations: [[0, R_XTENSA.ABS32, 'app$memory0', 0]] };
    symbols.push(
      { name: 'app$memory0.data', section: '.wasm_memory.0' },
      { name: 'app$memory0', section: '.data.memory' },
      { name: 'app$memory0.capacity', section: 'undefined' },
    );
  }
  return object('app.wasm', sections, symbols, 'module', info);
}

function wordOf(image: LinkedImage, address: number): number {
  for (const segment of image.segments) {
    if (segment.bytes === null || address < segment.address || address >= segment.address + segment.size) continue;
    return Buffer.from(segment.bytes).readUInt32LE(address - segment.address);
  }
  throw new Error(`nothing at 0x${address.toString(16)}`);
}

/** Where the pc-relative instruction at an address goes. */
function targetOf(image: LinkedImage, address: number): number {
  const segment = image.segments.find((s) => s.bytes !== null && address >= s.address && address < s.address + s.size)!;
  const decoded = decodeAt(segment.bytes!, address - segment.address, address)!;
  const index = decoded.row.operands.findIndex((operand) => operand.kind === 'pcrel');
  return address + decoded.operands[index]!;
}

function codeOf(run: () => unknown): { code: string; message: string } {
  try {
    run();
  } catch (error) {
    if (error instanceof DiagnosticError) return { code: error.code, message: error.message };
    throw error;
  }
  return { code: 'none', message: '' };
}

describe('link', () => {
  it('places, resolves and relocates', () => {
    const image = link([runtime(), moduleObject()], ESP32);
    const start = image.symbols.get('rt_start')!.address;
    const work = image.symbols.get('work')!.address;
    expect(image.entry).toBe(start);
    expect(start).toBe(0x40080404);
    expect(targetOf(image, start)).toBe(work);
    expect(targetOf(image, work)).toBe(start);
    expect(wordOf(image, start - 4)).toBe(image.symbols.get('counter')!.address + 4);
    expect(image.symbols.has('unused')).toBe(false);
    const modules = image.symbols.get('__wasm_modules_start')!.address;
    expect(image.symbols.get('__wasm_modules_end')!.address).toBe(modules + 4);
    expect(wordOf(image, modules)).toBe(image.symbolList.find((s) => s.name === 'text')!.address);
    expect(image.symbols.get('counter')!.address).toBeGreaterThanOrEqual(ESP32.dramLoadable.base);
    expect(image.symbols.get('__wasm_stack_top')!.address % 16).toBe(0);
  });

  it('keeps all sections disjoint and inside the regions of the board', () => {
    const image = link([runtime(), moduleObject(1000, 65536)], ESP32);
    let last = 0;
    for (const section of image.sections) {
      expect(section.address).toBeGreaterThanOrEqual(last);
      last = section.address + section.size;
      const region = ESP32.regions.find((r) => section.address >= r.base && section.address < r.base + r.size);
      expect(region?.executable).toBe(section.kind === 'code' || section.kind === 'vectors');
    }
    expect(image.stack!.end).toBeLessThanOrEqual(image.symbols.get('counter')!.address);
  });

  it('gives a growable memory what is left, and a fixed one what it has', () => {
    const memory = { index: 0, bytes: 65536, declaredBytes: 65536, maxBytes: null, pageShift: 16 };
    const grows = moduleObject(16, 65536, moduleInfo('app', { memories: [{ ...memory, growable: true }] }));
    const image = link([runtime(), grows], ESP32);
    const { capacity, address } = image.memories[0]!;
    expect(capacity).toBe(4 * 65536);
    expect(address + capacity).toBeLessThanOrEqual(ESP32.dram.end);
    const struct = image.symbols.get('app$memory0')!.address;
    expect(wordOf(image, struct)).toBe(address);
    expect(wordOf(image, struct + 4)).toBe(capacity);
    const limited = link([runtime(), grows], ESP32, { growthLimit: 131072 });
    expect(limited.memories[0]!.capacity).toBe(131072);
    const fixed = moduleObject(16, 65536, moduleInfo('app', { memories: [{ ...memory, growable: false }] }));
    expect(link([runtime(), fixed], ESP32).memories[0]!.capacity).toBe(65536);
    const large = link([runtime(), grows], ESP32_LARGE);
    expect(large.memories[0]!.address).toBe(0x3f800000);
    expect(large.memories[0]!.capacity).toBe(0x400000);
  });

  it('moves code that does not fit into IRAM to flash and reaches it with veneers', () => {
    const big = moduleObject(0x90000);
    const image = link([runtime(), big], ESP32);
    const work = image.symbols.get('work')!.address;
    expect(work).toBe(0x400d0000);
    expect(image.veneers).toBe(0);
    expect(targetOf(image, work)).toBe(image.entry);
    // Further out in the window a CALL0 no longer reaches IRAM.
    const far = new Uint8Array(0x80000);
    far.set(CALL, 0x7fff0);
    const farObject = object(
      'far.wasm',
      [
        { name: '.text.work', flags: CODE, content: far, relocations: [[0x7fff0, R_XTENSA.SLOT0_OP, 'rt_start', 0]] },
        {
          name: '.wasm_modules',
          flags: RODATA,
          content: new Uint8Array(4),
          relocations: [[0, R_XTENSA.ABS32, 'work', 0]],
        },
      ],
      [
        { name: 'work', section: '.text.work' },
        { name: 'rt_start', section: 'undefined' },
      ],
      'module',
    );
    const linked = link([runtime(), farObject], ESP32);
    expect(linked.veneers).toBe(1);
    const call = linked.symbols.get('work')!.address + 0x7fff0;
    const veneer = targetOf(linked, call);
    const literal = targetOf(linked, veneer);
    expect(literal).toBe(veneer - 4);
    expect(wordOf(linked, literal)).toBe(linked.entry);
  });

  it('shares veneers between sections that reach them', () => {
    const sections: TestSection[] = [];
    const symbols: TestSymbol[] = [{ name: 'rt_start', section: 'undefined' }];
    // Code from 0x400d0000 to 0x40170000, a call at the start of each 64 KiB: the last six do not reach IRAM.
    for (let i = 0; i < 10; i++) {
      const content = new Uint8Array(0x10000);
      content.set(CALL, 0);
      sections.push({
        name: `.text.f${i}`,
        flags: CODE,
        content,
        relocations: [[0, R_XTENSA.SLOT0_OP, 'rt_start', 0]],
      });
      symbols.push({ name: i === 0 ? 'work' : `f${i}`, section: `.text.f${i}` });
    }
    const relocations = symbols.slice(1).map((symbol, i) => [4 * i, R_XTENSA.ABS32, symbol.name, 0] as const);
    sections.push({ name: '.wasm_modules', flags: RODATA, content: new Uint8Array(40), relocations });
    const image = link([runtime(), object('far.wasm', sections, symbols, 'module')], ESP32);
    expect(image.veneers).toBe(1);
    for (let i = 0; i < 10; i++) {
      const target = targetOf(image, image.symbols.get(i === 0 ? 'work' : `f${i}`)!.address);
      expect(target === image.entry || wordOf(image, target - 4) === image.entry).toBe(true);
      expect(target === image.entry).toBe(i < 4);
    }
  });

  it('maps flash pages behind the image, at the pages the symbols name', () => {
    const image = link([runtime(), moduleObject(0x30000)], ESP32, { rodata: 'flash' });
    const file = writeFlashImage(image);
    const read = readFlashImage(file);
    expect(read.mapped.map((m) => m.address)).toEqual([0x3f400000, 0x400d0000]);
    expect(read.mapped[0]!.page).toBe(image.symbols.get('__drom_flash_page')!.address);
    expect(read.mapped[1]!.page).toBe(image.symbols.get('__irom_flash_page')!.address);
    expect(image.symbols.get('__irom_page_count')!.address).toBe(3);
    for (const segment of image.segments.filter((s) => s.flashPage !== null)) {
      const mapped = read.mapped.find((m) => m.address === segment.address)!;
      expect(Buffer.compare(mapped.bytes, segment.bytes!)).toBe(0);
      expect(file.indexOf(segment.bytes![0]!, segment.flashPage! * 65536 - 0x1000)).toBeGreaterThan(0);
    }
  });

  it('names what is missing and who wants it', () => {
    const info = moduleInfo('app', {
      imports: [{ symbol: 'work', module: 'env', name: 'work', kind: 'func', signature: 'i:' }],
    });
    const wants = object(
      'app.wasm',
      [{ name: '.wasm_modules', flags: RODATA, content: new Uint8Array(4), relocations: [[0, 1, 'work', 0]] }],
      [{ name: 'work', section: 'undefined' }],
      'module',
      info,
    );
    const failure = codeOf(() => link([wants, runtime('work')], ESP32));
    expect(failure.code).toBe('W401');
    expect(failure.message).toContain('func "env"."work" (i:) imported by app.wasm');
    expect(codeOf(() => link([moduleObject()], ESP32)).code).toBe('W401');
  });

  it('refuses duplicates, takes strong over weak', () => {
    expect(codeOf(() => link([runtime(), moduleObject(), moduleObject()], ESP32)).code).toBe('W404');
    const weak = object(
      'weak.o',
      [{ name: '.text.weak', flags: CODE, content: Uint8Array.from([...NOP, 0]) }],
      [{ name: 'work', section: '.text.weak', binding: 'weak' }],
    );
    for (const order of [
      [weak, runtime(), moduleObject()],
      [runtime(), moduleObject(), weak],
    ]) {
      const image = link(order, ESP32);
      expect(image.sections.some((section) => section.name === '.text.weak')).toBe(false);
    }
    expect(link([weak, runtime()], ESP32).sections.some((section) => section.name === '.text.weak')).toBe(true);
  });

  it('refuses imports whose export differs', () => {
    const provider = moduleInfo('lib', {
      exports: [{ name: 'f', kind: 'func', symbol: 'lib.f', index: 0, signature: 'i:i' }],
    });
    const user = moduleInfo('app', {
      imports: [{ symbol: 'lib.f', module: 'lib', name: 'f', kind: 'func', signature: 'I:i' }],
    });
    const lib = object('lib.wasm', [], [], 'module', provider);
    const failure = codeOf(() => link([runtime(), moduleObject(16, 0, user), lib], ESP32));
    expect(failure.code).toBe('W402');
  });

  it('says what does not fit, with the largest contributors', () => {
    const failure = codeOf(() => link([runtime(), moduleObject(16, 400000)], ESP32));
    expect(failure.code).toBe('W403');
    expect(failure.message).toContain('DRAM needs');
    expect(failure.message).toMatch(/400000\s+app\.wasm \.wasm_memory\.0/);
    expect(codeOf(() => link([runtime(), moduleObject(0x3f0000)], ESP32)).code).toBe('W403');
    expect(codeOf(() => link([runtime(), moduleObject(0x30000)], ESP32, { code: 'ram' })).code).toBe('W403');
  });

  it('links a further module into a slot of a linked image', () => {
    const base = link([runtime(), moduleObject()], ESP32);
    const added = object(
      'second.wasm',
      [
        {
          name: '.text.second',
          flags: CODE,
          content: Uint8Array.from([...CALL, ...NOP, 0, 0]),
          relocations: [[0, R_XTENSA.SLOT0_OP, 'work', 0]],
        },
        {
          name: '.data.limit',
          flags: DATA,
          content: new Uint8Array(4),
          relocations: [[0, R_XTENSA.ABS32, 'second$stack_limit', 0]],
        },
      ],
      [
        { name: 'second', section: '.text.second' },
        { name: 'work', section: 'undefined' },
        { name: 'second$stack_limit', section: 'undefined' },
      ],
      'module',
      moduleInfo('second'),
    );
    const code = { base: 0x40090000, end: 0x400a0000 };
    const data = { base: 0x3ffd0000, end: 0x3ffe0000 };
    const image = linkInto(base, [added], { code, data });
    expect(image.symbols.get('second')!.address).toBe(code.base);
    expect(targetOf(image, code.base)).toBe(base.symbols.get('work')!.address);
    expect(wordOf(image, data.base)).toBe(base.stack!.base + 512);
    expect(image.segments.map((segment) => segment.address)).toEqual([data.base, code.base]);
  });

  it('adds code that checks return addresses only where there is a shadow stack', () => {
    const added = object(
      'second.wasm',
      [
        {
          name: '.data.shadow',
          flags: DATA,
          content: new Uint8Array(4),
          relocations: [[0, R_XTENSA.ABS32, LinkerSymbol.ShadowDisplacement, 0]],
        },
      ],
      [{ name: LinkerSymbol.ShadowDisplacement, section: 'undefined' }],
      'module',
      moduleInfo('second'),
    );
    const slot = { code: { base: 0x40090000, end: 0x400a0000 }, data: { base: 0x3ffd0000, end: 0x3ffe0000 } };
    const plain = link([runtime(), moduleObject()], ESP32);
    expect(codeOf(() => linkInto(plain, [added], slot)).code).toBe('W406');
    const base = link([runtime(), moduleObject()], ESP32, { shadowStack: true });
    const displacement = base.symbols.get(LinkerSymbol.ShadowDisplacement)!.address;
    expect(wordOf(linkInto(base, [added], slot), slot.data.base) >>> 0).toBe(displacement >>> 0);
  });

  it('writes a map that names every live function', () => {
    const map = formatMap(link([runtime(), moduleObject()], ESP32), 1000);
    expect(map).toMatch(/0x40080404\s+6\s+rt_start/);
    expect(map).toContain('.text.work  (app.wasm)');
    expect(map).toContain('__wasm_stack_top');
  });
});

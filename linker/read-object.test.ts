// The object reader on a valid object, and on every way to damage one: a W701 each, nothing else.
import { describe, expect, it } from 'vitest';
import { DiagnosticError } from '../compiler/diagnostics.js';
import { R_XTENSA } from './elf-constants.js';
import { readObject } from './read-object.js';
import { makeObject } from '../test/support/make-object.js';

const TEXT = { name: '.text.f', flags: 6, content: Uint8Array.from([0, 0, 0, 0, 0x0d, 0xf0, 0, 0]) };

function valid(): Uint8Array {
  return makeObject(
    [
      { ...TEXT, relocations: [[0, R_XTENSA.ABS32, 'data', 4]] },
      { name: '.data.d', flags: 3, content: new Uint8Array(12) },
      { name: '.bss.b', flags: 3, content: 100, align: 16 },
      { name: '.comment', flags: 0, content: Buffer.from('made by a test\0') },
    ],
    [
      { name: 'f', section: '.text.f', value: 4, size: 2, type: 2 },
      { name: 'data', section: '.data.d', binding: 'local', type: 1 },
      { name: 'elsewhere', section: 'undefined' },
      { name: 'constant', section: 'absolute', value: 0x1234 },
    ],
  );
}

function failure(bytes: Uint8Array): string {
  try {
    readObject(bytes, 'test.o', 'module');
  } catch (error) {
    if (error instanceof DiagnosticError && error.code === 'W701') return error.message;
    throw error;
  }
  return 'none';
}

/** Offset of the header of section `index`. */
function sectionHeader(bytes: Uint8Array, index: number): number {
  return Buffer.from(bytes).readUInt32LE(32) + 40 * index;
}

function patched(offset: number, word: number): Uint8Array {
  const bytes = Buffer.from(valid());
  bytes.writeUInt32LE(word >>> 0, offset);
  return new Uint8Array(bytes);
}

describe('readObject', () => {
  it('reads sections, symbols and relocations', () => {
    const object = readObject(valid(), 'test.o', 'module');
    expect(object.sections.map(({ name, kind, size, align }) => [name, kind, size, align])).toEqual([
      ['.text.f', 'code', 8, 4],
      ['.data.d', 'data', 12, 4],
      ['.bss.b', 'bss', 100, 16],
    ]);
    const [text] = object.sections;
    expect(text!.relocations.count).toBe(1);
    expect(object.symbols[text!.relocations.symbol[0]!]!.name).toBe('data');
    expect(text!.relocations.addend[0]).toBe(4);
    const byName = new Map(object.symbols.map((symbol) => [symbol.name, symbol]));
    expect(byName.get('f')).toMatchObject({ binding: 'global', type: 'function', value: 4, size: 2, section: text });
    expect(byName.get('elsewhere')!.place).toBe('undefined');
    expect(byName.get('constant')).toMatchObject({ place: 'absolute', value: 0x1234 });
  });

  it('refuses every truncation', () => {
    const bytes = valid();
    for (let length = 0; length < bytes.length; length++) expect(failure(bytes.slice(0, length))).not.toBe('none');
  });

  it('refuses wrong machines, classes and kinds', () => {
    const bytes = valid();
    const change = (at: number, value: number): string => {
      const copy = bytes.slice();
      copy[at] = value;
      return failure(copy);
    };
    expect(change(0, 0)).toBe('not an ELF file');
    expect(change(4, 2)).toContain('32-bit');
    expect(change(5, 2)).toContain('little-endian');
    expect(change(18, 40)).toBe('not an Xtensa object (machine 40)');
    expect(change(16, 2)).toBe('not a relocatable object');
  });

  it('refuses offsets and indices that lie outside', () => {
    const header = sectionHeader(valid(), 1);
    expect(failure(patched(header + 16, 0x7fffffff))).toContain('beyond the end of the file');
    expect(failure(patched(header + 20, 0xffffffff))).toContain('beyond the end of the file');
    expect(failure(patched(header + 32, 3))).toContain('alignment');
    const rela = sectionHeader(valid(), 5);
    const relaOffset = Buffer.from(valid()).readUInt32LE(rela + 16);
    expect(failure(patched(relaOffset, 5))).toContain('beyond its end');
    expect(failure(patched(relaOffset + 4, (99 << 8) | 1))).toContain('symbol 99');
    expect(failure(patched(relaOffset + 4, (1 << 8) | 200))).toContain('unknown relocation type 200');
    expect(failure(patched(rela + 28, 77))).toContain('section 77');
    const symtab = sectionHeader(valid(), 6);
    const symbols = Buffer.from(valid()).readUInt32LE(symtab + 16);
    expect(failure(patched(symbols + 32, 0x00ffffff))).toContain('beyond the string table');
    expect(failure(patched(symbols + 36, 0x10000))).toContain('lies beyond its section');
    expect(failure(patched(symbols + 44, (50 << 16) | 0x12))).toContain('section 50 is not there');
  });

  it('never fails in another way, whatever byte is changed', () => {
    const bytes = valid();
    let seed = 1;
    const random = (): number => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0);
    for (let round = 0; round < 4000; round++) {
      const copy = bytes.slice();
      for (let i = 0; i <= round % 4; i++) copy[random() % copy.length] = random() >>> 24;
      failure(copy);
    }
  });

  it('refuses .wasm.info that is no such thing', () => {
    const info = (text: string): Uint8Array =>
      makeObject([TEXT, { name: '.wasm.info', flags: 0, content: Buffer.from(text), align: 1 }], []);
    expect(failure(info('{'))).toBe('.wasm.info is not JSON');
    expect(failure(info('null'))).toContain('unknown version');
    expect(failure(info('{"version":1,"module":"a"}'))).toBe('.wasm.info is incomplete');
  });
});

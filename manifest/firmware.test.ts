// The firmware description in an ELF: what was built comes out again, and nothing else is taken for one.
import { beforeAll, describe, expect, it } from 'vitest';
import { ESP32 } from '../compiler/abi/boards.js';
import { DiagnosticError } from '../compiler/diagnostics.js';
import { writeElf } from '../linker/elf-output.js';
import { readExecutable, readSection } from '../linker/read-executable.js';
import { STAND_IN_RUNTIME } from '../test/support/things.js';
import { wat } from '../test/support/wat.js';
import { linkDescription, readLinkDescription } from './base.js';
import { buildThings, type ThingsBuild } from './build.js';
import { FIRMWARE_SECTION, firmwareNotes, isElf, readFirmware } from './firmware.js';
import { loadManifest, type LoadedManifest } from './load.js';

const KEY = Uint8Array.from({ length: 32 }, (_, i) => i);
let built: ThingsBuild;
let loaded: LoadedManifest;
beforeAll(async () => {
  const file = {
    name: 'station',
    version: '2.1.0',
    types: { reading: { type: 'record', fields: [{ name: 'celsius', type: 'i16', min: -500, max: 1500 }] } },
    modules: [
      {
        name: 'sensor',
        wasm: 'sensor.wasm',
        version: '1.2.3',
        stack: 1024,
        provides: [
          { method: 'GET', path: '/t/{n}', handler: 'get', contract: { response: 'reading', callers: ['x'] } },
        ],
      },
      { name: 'x', wasm: 'x.wasm', version: '1.0.0', stack: 1024 },
    ],
    slots: [{ name: 'spare', pages: 1, ram: 4096 }],
  };
  loaded = loadManifest(Buffer.from(JSON.stringify(file)), 'things.json');
  const sensor = await wat(`(module (func (export "get") (param i32 i32 i32 i32) (result i32) (i32.const 0x45)))`);
  const inputs = new Map([
    ['sensor', { bytes: sensor, file: 'sensor.wasm' }],
    ['x', { bytes: await wat('(module)'), file: 'x.wasm' }],
  ]);
  built = buildThings(loaded, inputs, { board: ESP32, compile: {}, publicKey: KEY, runtime: STAND_IN_RUNTIME });
});

const elfOf = (publicKey: Uint8Array | null): Uint8Array =>
  writeElf(built.linked, firmwareNotes(loaded.app, built.linked, built.slots, publicKey));
const code = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof DiagnosticError) return error.code;
    throw error;
  }
  return 'none';
};

describe('firmware description', () => {
  it('says what was built in', () => {
    const read = readFirmware(elfOf(KEY), 'app.elf');
    expect(read).toMatchObject({ name: 'station', version: '2.1.0' });
    expect([...read.publicKey!]).toEqual([...KEY]);
    expect(readFirmware(elfOf(null), 'app.elf').publicKey).toBeNull();
    expect(read.modules.map(({ name, version }) => [name, version])).toEqual([
      ['sensor', '1.2.3'],
      ['x', '1.0.0'],
    ]);
    expect(read.modules[0]!.provides).toEqual(loaded.app.modules[0]!.provides);
    const description = Buffer.from(JSON.stringify(linkDescription(built.linked, built.slots)));
    expect(read.image).toEqual(readLinkDescription(description, 'app.slots.json'));
  });

  it('is not loaded, and leaves the program as it is', () => {
    const plain = writeElf(built.linked);
    expect(readExecutable(elfOf(KEY), 'app.elf')).toEqual(readExecutable(plain, 'app.elf'));
    expect(isElf(plain)).toBe(true);
    expect(readSection(plain, FIRMWARE_SECTION, 'app.elf')).toBeNull();
  });

  it.each<[string, (elf: Uint8Array) => Uint8Array, string]>([
    ['no ELF', () => Buffer.from('{}'), 'W701'],
    ['an ELF without one', () => writeElf(built.linked), 'W812'],
    ['one cut off', (elf) => elf.subarray(0, elf.length - 100), 'W701'],
    ['another form', () => withText('{"format": 2}'), 'W812'],
    ['no JSON', () => withText('{'), 'W801'],
    ['no object', () => withText('null'), 'W812'],
    ['a short key', () => withText('{"format":1,"name":"a","version":"1","publicKey":"00","modules":[]}'), 'W812'],
    ['a module without manifest', () => withText(withModule({})), 'W812'],
    [
      'a module that is wrong',
      () => withText(withModule({ thingspire: 1, module: { name: 'A B' }, types: {} })),
      'W802',
    ],
  ])('%s is refused', (_, make, expected) => {
    expect(code(() => readFirmware(make(elfOf(KEY)), 'app.elf'))).toBe(expected);
  });
});

const withText = (text: string): Uint8Array => writeElf(built.linked, new Map([[FIRMWARE_SECTION, Buffer.from(text)]]));
const withModule = (module: object): string =>
  JSON.stringify({ format: 1, name: 'a', version: '1.0.0', publicKey: null, modules: [module] });

// Packages from the manifest to the signed bytes and back: linked for the slot's addresses, verified from the machine
// code, refused when anything is not as it was.
import { beforeAll, describe, expect, it } from 'vitest';
import { ESP32 } from '../compiler/abi/boards.js';
import { ABI_VERSION } from '../compiler/abi/layout.js';
import { OS_ABI_VERSION, PACKAGE_MAGIC, TS_MODULE_INFO, TS_PACKAGE } from '../compiler/abi/os-layout.js';
import { DiagnosticError } from '../compiler/diagnostics.js';
import { writeElf } from '../linker/elf-output.js';
import { STAND_IN_RUNTIME } from '../test/support/things.js';
import { wat } from '../test/support/wat.js';
import { verifyElf } from '../verifier/verify.js';
import { linkDescription, readLinkDescription } from './base.js';
import type { BaseImage } from './base.js';
import { buildThings } from './build.js';
import { generateKeys, readPrivateKey, readPublicKey } from './keys.js';
import { loadManifest } from './load.js';
import { buildPackage, readPackage, versionNumber } from './package.js';
import type { Package } from './package.js';

const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
const MODULE = `(module
  (import "thingspire" "log" (func $log (param i32 i32)))
  (memory 1) (table 1 funcref) (elem (i32.const 0) func $get)
  (global $n (mut i32) (i32.const 41))
  (data (i32.const 8) "hello")
  (func $get (export "get") (param i32 i32 i32 i32) (result i32)
    (call $log (i32.const 8) (i32.const 5))
    (global.set $n (i32.add (global.get $n) (i32.const 1)))
    (i32.store (local.get 2) (global.get $n))
    (i32.const 0x45000004)))`;
const keys = generateKeys();
const privateKey = readPrivateKey(Buffer.from(keys.privatePem), 'key.pem');
const publicKey = readPublicKey(Buffer.from(keys.publicPem), 'key.pub.pem');
const module = {
  name: 'greeter',
  wasm: 'greeter.wasm',
  version: '1.2.3',
  memory: { max: 2048 },
  stack: 2048,
  provides: [{ method: 'GET', path: '/greeting', handler: 'get', contract: { response: { type: 'bytes', max: 4 } } }],
};

let base: BaseImage;
let bytes: Uint8Array;
let built: Package;
const code = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof DiagnosticError) return error.code;
    throw error;
  }
  return 'none';
};
const packageOf = (more: object = {}, slot = 'spare', target = base): Package => {
  const loaded = loadManifest(json({ name: 'a', version: '1.0.0', modules: [{ ...module, ...more }] }), 'things.json');
  return buildPackage(loaded, 'greeter', { bytes, file: 'greeter.wasm' }, target, slot, privateKey, { compile: {} });
};

beforeAll(async () => {
  bytes = await wat(MODULE);
  const silent = await wat('(module)');
  const slots = [{ name: 'spare', pages: 1, ram: 8192 }];
  const things = { name: 'base', version: '1.0.0', modules: [{ name: 'm', wasm: 'm.wasm', version: '1.0.0' }], slots };
  const image = buildThings(
    loadManifest(json(things), 'things.json'),
    new Map([['m', { bytes: silent, file: 'm.wasm' }]]),
    { board: ESP32, compile: {}, runtime: STAND_IN_RUNTIME },
  );
  base = readLinkDescription(json(linkDescription(image.linked, image.slots)), 'app.slots.json');
  built = packageOf();
});

describe('a package', () => {
  it('has a header that says what it was linked for', () => {
    const { contents, header } = readPackage(built.bytes, 'greeter.tsp', publicKey);
    expect(Buffer.from(contents)).toEqual(Buffer.from(built.contents));
    const [slot] = base.slots;
    expect(header).toEqual({
      magic: PACKAGE_MAGIC,
      os_abi_version: OS_ABI_VERSION,
      wasm_abi_version: ABI_VERSION,
      total_bytes: contents.length,
      info: header['info'],
      slot_code_base: slot!.codeBase,
      slot_ram_base: slot!.ramBase,
      ram_bytes: built.ramBytes,
      base_id: base.id,
      version: (1 << 20) | (2 << 10) | 3,
    });
    expect(header['ram_bytes']).toBeGreaterThan(2048 + 2048);
    expect(header['ram_bytes']).toBeLessThanOrEqual(slot!.ramBytes);
  });
  it('refers to nothing but its bank, its RAM and the interface', () => {
    const { contents } = built;
    const [slot] = base.slots;
    const view = new DataView(contents.buffer, contents.byteOffset);
    const inRodata = (at: number): boolean =>
      at >= slot!.rodataBase + TS_PACKAGE.size && at < slot!.rodataBase + contents.length;
    const inCode = (at: number): boolean => at > slot!.codeBase && at < slot!.codeBase + contents.length;
    const inRam = (at: number): boolean => at >= slot!.ramBase && at <= slot!.ramBase + built.ramBytes;
    const info = view.getUint32(TS_PACKAGE.offset.info, true);
    expect(inRodata(info)).toBe(true);
    const at = (name: keyof typeof TS_MODULE_INFO.offset): number =>
      view.getUint32(info - slot!.rodataBase + TS_MODULE_INFO.offset[name], true);
    for (const name of ['wasm', 'name', 'version', 'services', 'manifest', 'data_load'] as const)
      expect(inRodata(at(name)), name).toBe(true);
    for (const name of ['stack_bottom', 'stack_top', 'data_start', 'bss_start', 'memory'] as const)
      expect(inRam(at(name)), name).toBe(true);
    const service = at('services') - slot!.rodataBase;
    expect(inCode(view.getUint32(service + 4, true))).toBe(true);
    const name = at('name') - slot!.rodataBase;
    expect(Buffer.from(contents.subarray(name, name + 8)).toString()).toBe('greeter\0');
  });
  it('is proved by the verifier', () => {
    const verdict = verifyElf(writeElf(built.linked), 'greeter.elf', { checkReturns: false });
    expect(verdict.faults).toEqual([]);
    expect(verdict.functions.flatMap(({ violations }) => violations)).toEqual([]);
    expect(verdict.functions.length).toBeGreaterThanOrEqual(2);
  });
  it('is the same each time', () => {
    expect(packageOf().bytes).toEqual(built.bytes);
  });
});

describe('what is refused', () => {
  it('a changed byte anywhere, another key', () => {
    for (let i = 0; i < built.bytes.length; i += 7) {
      const changed = Uint8Array.from(built.bytes);
      changed[i] = changed[i]! ^ 0x10;
      expect(['W813', 'W815'], `byte ${i}`).toContain(code(() => readPackage(changed, 'p', publicKey)));
    }
    const other = readPublicKey(Buffer.from(generateKeys().publicPem), 'other.pem');
    expect(code(() => readPackage(built.bytes, 'p', other))).toBe('W813');
    expect(code(() => readPackage(built.bytes.subarray(0, 100), 'p', publicKey))).toBe('W815');
  });
  it('a slot that is not there or too small', () => {
    expect(code(() => packageOf({}, 'other'))).toBe('W812');
    expect(code(() => packageOf({ stack: 8192 }))).toBe('W403');
    expect(code(() => packageOf({ memory: { max: 1 } }))).not.toBe('W403');
  });
  it('a description of another ABI, or none', () => {
    const { board, id, slots } = base;
    const good = {
      format: 1,
      board: board.name,
      abi: { wasm: ABI_VERSION, os: OS_ABI_VERSION },
      id,
      slots,
      symbols: {},
    };
    const read = (more: object): string => code(() => readLinkDescription(json({ ...good, ...more }), 'f'));
    expect(read({})).toBe('none');
    for (const more of [
      { format: 2 },
      { board: 'arduino' },
      { abi: { wasm: ABI_VERSION, os: OS_ABI_VERSION + 1 } },
      { abi: null },
      { id: -1 },
      { symbols: { rt: 'x' } },
      { symbols: null },
      { slots: [null] },
      { slots: [{ name: 'x' }] },
      { slots: 'none' },
    ])
      expect(read(more), JSON.stringify(more)).toBe('W812');
  });
  it('keys that are none, or of another kind', () => {
    expect(code(() => readPrivateKey(Buffer.from('hello'), 'f'))).toBe('W813');
    expect(code(() => readPrivateKey(Buffer.from(keys.publicPem), 'f'))).toBe('W813');
    expect(readPublicKey(Buffer.from(keys.privatePem), 'f').equals(publicKey)).toBe(true);
  });
});

describe('versions', () => {
  it('compare as numbers', () => {
    expect(versionNumber('1.0.0')).toBeGreaterThan(versionNumber('0.999.999'));
    expect(versionNumber('1.10.0')).toBeGreaterThan(versionNumber('1.9.999'));
    expect(versionNumber('999.999.999')).toBeLessThan(2 ** 32);
  });
});

// Compiling for slots: once for each module, image and slot; what lies damaged on disk is made again; faults arrive.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ESP32 } from '../../compiler/abi/boards.js';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { linkDescription, readLinkDescription, type BaseImage } from '../../manifest/base.js';
import { buildThings } from '../../manifest/build.js';
import { loadManifest } from '../../manifest/load.js';
import { embedManifest } from '../../manifest/section.js';
import { STAND_IN_RUNTIME } from '../../test/support/things.js';
import { wat } from '../../test/support/wat.js';
import { SlotCompiler } from './slot-compiler.js';

let image: BaseImage;
let wasm: Uint8Array;
const folder = mkdtempSync(join(tmpdir(), 'compiled-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const module = { name: 'm', version: '1.0.0', stack: 1024, memory: { max: 1024 } };
const carrying = async (text: string): Promise<Uint8Array> =>
  embedManifest(await wat(text), { thingspire: 1, module, types: {} });

beforeAll(async () => {
  const things = {
    name: 'base',
    version: '1.0.0',
    modules: [{ name: 'other', wasm: 'other.wasm', version: '1.0.0', stack: 1024 }],
    slots: [
      { name: 'a', pages: 1, ram: 4096 },
      { name: 'b', pages: 1, ram: 4096 },
    ],
  };
  const built = buildThings(
    loadManifest(Buffer.from(JSON.stringify(things)), 'things.json'),
    new Map([['other', { bytes: await wat('(module)'), file: 'other.wasm' }]]),
    { board: ESP32, compile: {}, runtime: STAND_IN_RUNTIME },
  );
  const text = JSON.stringify(linkDescription(built.linked, built.slots));
  image = readLinkDescription(Buffer.from(text), 'base.slots.json');
  wasm = await carrying('(module (memory 1) (global (mut i32) (i32.const 5)))');
});

describe('the compiler for slots', () => {
  it('makes each thing once, and the same from disk', { timeout: 60_000 }, async () => {
    const compiler = new SlotCompiler(folder);
    const first = compiler.compile(wasm, image, 'a', 'm.wasm');
    expect(compiler.compile(wasm, image, 'a', 'm.wasm')).toBe(first);
    const made = await first;
    expect((await compiler.compile(wasm, image, 'b', 'm.wasm')).contents).not.toEqual(made.contents);
    expect(readdirSync(folder)).toHaveLength(2);
    const again = await new SlotCompiler(folder).compile(wasm, image, 'a', 'm.wasm');
    expect(Buffer.from(again.contents).equals(Buffer.from(made.contents))).toBe(true);
    expect(again.state).toEqual(made.state);
    expect(again.module).toBe('m');
  });

  it('does not believe a damaged file', { timeout: 60_000 }, async () => {
    const made = await new SlotCompiler(folder).compile(wasm, image, 'a', 'm.wasm');
    for (const name of readdirSync(folder)) {
      const bytes = readFileSync(join(folder, name));
      bytes[bytes.length - 20]! ^= 1;
      writeFileSync(join(folder, name), bytes);
    }
    const again = await new SlotCompiler(folder).compile(wasm, image, 'a', 'm.wasm');
    expect(again.state).toEqual(made.state);
    // And it is whole again.
    const [body] = readdirSync(folder).map((name) => readFileSync(join(folder, name)));
    expect(body!.length).toBeGreaterThan(100);
  });

  it('tells faults, and tries again', { timeout: 60_000 }, async () => {
    const compiler = new SlotCompiler(null);
    const large = await carrying('(module (memory 1) (func (export "f") (result i32) (memory.size)))');
    const oversize = embedManifest(large, {
      thingspire: 1,
      module: { ...module, memory: { max: 65536 } },
      types: {},
    });
    const failing = (): Promise<unknown> => compiler.compile(oversize, image, 'a', 'm.wasm');
    await expect(failing()).rejects.toThrow(DiagnosticError);
    await expect(failing()).rejects.toMatchObject({ code: 'W403' });
    await expect(compiler.compile(Buffer.from('no'), image, 'a', 'm.wasm')).rejects.toThrow(DiagnosticError);
    await expect(compiler.compile(wasm, image, 'nowhere', 'm.wasm')).rejects.toMatchObject({ code: 'W812' });
  });
});

// Manifests that are wrong in every way the checks know: each fault with its number and its place, all at once; and what
// a right one means.
import { describe, expect, it } from 'vitest';
import { DiagnosticError, DiagnosticErrors, formatDiagnostic } from '../compiler/diagnostics.js';
import { wat } from '../test/support/wat.js';
import { loadManifest, joinSections } from './load.js';
import { numberRequirements } from './requirements.js';
import { embedManifest, encodeManifest, readManifestSection } from './section.js';

type Json = Record<string, unknown>;

const service = (more: Json = {}): Json => ({ method: 'GET', path: '/a', handler: 'get', ...more });
const module = (more: Json = {}): Json => ({ name: 'a', wasm: 'a.wasm', version: '1.0.0', ...more });
const app = (more: Json = {}): Json => ({ name: 'app', version: '1.0.0', modules: [module()], ...more });
const load = (value: unknown) =>
  loadManifest(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value, null, 1)), 'things.json');

/** Numbers and pointers of everything that is wrong. */
function faults(value: unknown): string[] {
  try {
    load(value);
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    const all = error instanceof DiagnosticErrors ? error.all : [error];
    return all.map(({ code, place }) => `${code} ${place.pointer ?? `${place.line}:${place.column}`}`);
  }
  return [];
}
const warnings = (value: unknown): string[] =>
  load(value).findings.warnings.map(({ code, place }) => `${code} ${place.pointer}`);

describe('syntax', () => {
  it('tells all faults with line and column', () => {
    expect(faults('{\n "name": x,\n "a": 1 "b": 2\n}')).toEqual(['W801 2:10', 'W801 3:9']);
    expect(faults('')).toEqual(['W801 1:1']);
    expect(faults('{} // no')).toEqual(['W801 1:4']);
    expect(faults('{"name": "a",\n "name": "b"}')).toEqual(['W801 2:2']);
    expect(faults('['.repeat(100_000))).toEqual(['W801 1:65']);
  });
  it('refuses bytes that are no text', () => {
    expect(() => loadManifest(Uint8Array.of(0x7b, 0xff), 'f')).toThrow(/not UTF-8/);
  });
  it('places a fault in file, line, column and pointer', () => {
    try {
      load('{\n  "name": "app", "version": "1.0.0",\n  "modules": [{ "name": "A" }]\n}');
    } catch (error) {
      const { all } = error as DiagnosticErrors;
      expect(all.map((one) => formatDiagnostic(one))).toEqual([
        'error W802: invalid manifest: "wasm" is missing (things.json:3:15, /modules/0)',
        'error W802: invalid manifest: "version" is missing (things.json:3:15, /modules/0)',
        expect.stringMatching(/must be a name: .* \(things.json:3:25, \/modules\/0\/name\)$/),
      ]);
    }
    expect.assertions(1);
  });
});

describe('schema', () => {
  it('names every departure', () => {
    expect(faults(app({ modules: [] }))).toEqual(['W802 /modules']);
    expect(faults(app({ modules: [module({ stak: 1, priority: 4, stack: 'big' })] }))).toEqual([
      'W802 /modules/0/stak',
      'W802 /modules/0/stack',
      'W802 /modules/0/priority',
    ]);
    expect(faults(app({ modules: [module({ startDeadline: '2 ms' })] }))).toEqual(['W802 /modules/0/startDeadline']);
    expect(faults(app({ modules: [module({ provides: [service({ path: 'a' })] })] }))).toEqual([
      'W802 /modules/0/provides/0/path',
    ]);
    expect(faults(app({ modules: [module({ requires: [{ path: '/a/*/b', methods: ['GET'] }] })] }))).toEqual([
      'W802 /modules/0/requires/0/path',
    ]);
  });
  it('says of a type what it lacks, not what it is not', () => {
    expect(faults(app({ types: { T: { type: 'record', fields: [{ name: 'x', type: 'u7' }] } } }))).toEqual([
      'W802 /types/T/fields/0/type',
    ]);
    expect(faults(app({ types: { T: { type: 'text' } } }))).toEqual(['W802 /types/T']);
    expect(faults(app({ types: { T: { type: 'bytes', max: 4, maximum: 3 } } }))).toEqual(['W802 /types/T/maximum']);
  });
  it('takes names of JavaScript for what they are', () => {
    expect(faults('{"__proto__": 1, "name": "a", "version": "1.0.0", "modules": []}')).toContain('W802 /__proto__');
    const uses = { contract: { request: 'constructor' } };
    expect(faults(app({ modules: [module({ provides: [service(uses)] })] }))).toEqual([
      'W810 /modules/0/provides/0/contract/request',
    ]);
  });
});

describe('meaning', () => {
  it('refuses names and routes that are taken', () => {
    const two = [
      module({ provides: [service({ path: '/a/{x}' })] }),
      module({ provides: [service({ path: '/a/{y}' })] }),
    ];
    expect(faults(app({ modules: two }))).toEqual(['W804 /modules/1/name', 'W804 /modules/1/provides/0']);
    expect(faults(app({ modules: [module({ name: 'sys' })] }))).toEqual(['W804 /modules/0/name']);
    expect(faults(app({ modules: [module({ provides: [service({ path: '/dev/x' })] })] }))).toEqual([
      'W804 /modules/0/provides/0/path',
    ]);
    expect(faults(app({ modules: [module({ provides: [service({ path: '/{a}/{a}' })] })] }))).toEqual([
      'W804 /modules/0/provides/0/path',
    ]);
    // Another method is another route.
    expect(faults(app({ modules: [module({ provides: [service(), service({ method: 'PUT' })] })] }))).toEqual([]);
  });
  it('checks types and their ranges', () => {
    const record = (...fields: Json[]): Json => app({ types: { T: { type: 'record', fields } } });
    const at = (i: number, part = ''): string => `W810 /types/T/fields/${i}${part}`;
    expect(faults(record({ name: 'x', type: 'u8', min: -1, max: 256 }))).toEqual([at(0, '/min'), at(0, '/max')]);
    expect(faults(record({ name: 'x', type: 'i16', min: 5, max: 4 }))).toEqual([at(0, '/min')]);
    expect(faults(record({ name: 'x', type: 'u64', min: 5 }))).toEqual([at(0)]);
    expect(faults(record({ name: 'x', type: 'bool', max: 1 }))).toEqual([at(0)]);
    expect(faults(record({ name: 'x', type: 'u8' }, { name: 'x', type: 'u8' }))).toEqual([
      'W804 /types/T/fields/1/name',
    ]);
    expect(faults(app({ types: { none: { type: 'cbor', max: 1 } } }))).toEqual(['W810 /types/none']);
    expect(faults(app({ types: { L: { type: 'array', of: 'M', max: 1 } } }))).toEqual(['W810 /types/L/of']);
    const wide = { type: 'record', fields: [{ name: 'x', type: 'f64', count: 255 }] };
    expect(faults(app({ types: { L: { type: 'array', of: wide, max: 200 } } }))).toEqual(['W810 /types/L']);
  });
  it('knows the limits of the device', () => {
    const slots = (n: number): Json[] => Array.from({ length: n }, (_, i) => ({ name: `s${i}`, pages: 1, ram: 4096 }));
    const modules = (n: number): Json[] => Array.from({ length: n }, (_, i) => module({ name: `m${i}` }));
    expect(faults(app({ modules: modules(8), slots: slots(4) }))).toEqual([]);
    expect(faults(app({ modules: modules(8), slots: slots(5) }))).toEqual(['W811 /modules']);
    const requires = Array.from({ length: 17 }, (_, i) => ({ path: `/r/${i}`, methods: ['GET', 'PUT'] }));
    expect(faults(app({ modules: [module({ requires })] }))).toEqual(['W811 /modules/0/requires']);
  });
  it('wants callers to exist, unless they may come later', () => {
    const modules = [module({ provides: [service({ contract: { callers: ['b'] } })] })];
    expect(faults(app({ modules }))).toEqual(['W806 /modules/0/provides/0/contract/callers/0']);
    expect(faults(app({ modules, slots: [{ name: 's', pages: 1, ram: 4096 }] }))).toEqual([]);
  });
  it('takes callers of other things, and users, as they are', () => {
    const calledBy = (...callers: string[]): string[] =>
      faults(app({ modules: [module({ provides: [service({ contract: { callers } })] })] }));
    expect(calledBy('b@porch', 'user:anna', 'user:*', 'http', 'coap')).toEqual([]);
    const where = '/modules/0/provides/0/contract/callers/0';
    for (const wrong of ['user:', '*', 'b@', '@porch', 'b@*', 'user:a*', 'user:a@porch', 'B', 'b@porch@x', 'b:c'])
      expect(calledBy(wrong)).toEqual([`W802 ${where}`]);
    expect(faults(app({ modules: [module({ name: 'http' })] }))).toEqual(['W804 /modules/0/name']);
    const own = app({ modules: [module({ provides: [service({ contract: { callers: ['b@app'] } })] })] });
    expect(warnings(own)).toEqual([`W806 ${where}`]);
  });
  it('knows the speeds of the serial line', () => {
    expect(load(app({ console: { baud: 921600 } })).app.consoleBaud).toBe(921600);
    expect(load(app()).app.consoleBaud).toBe(null);
    expect(faults(app({ console: { baud: 1200 } }))).toEqual(['W802 /console/baud']);
  });
  it('warns of what will be refused at run time', () => {
    const provider = module({ provides: [service({ contract: { deadline: '5ms', callers: ['c'] } })] });
    const caller = (more: Json): Json => module({ name: 'b', ...more });
    const other = module({ name: 'c' });
    const wants = (path: string, method: string, more: Json = {}): Json =>
      caller({ eventDeadline: '6ms', requires: [{ path, methods: [method], ...more }] });
    const check = (value: Json): string[] => warnings(app({ modules: [provider, value, other] }));
    expect(check(wants('/zzz', 'GET'))).toEqual(['W805 /modules/1/requires/0']);
    expect(check(wants('/zzz', 'GET', { external: true }))).toEqual([]);
    expect(check(wants('/dev/gpio/2', 'GET'))).toEqual([]);
    expect(check(wants('//porch.local/a', 'GET'))).toEqual([]);
    expect(faults(app({ modules: [wants('//a', 'GET')] }))).toEqual(['W802 /modules/0/requires/0/path']);
    expect(check(wants('/a', 'PUT'))).toEqual(['W805 /modules/1/requires/0/methods']);
    expect(check(wants('/a', 'GET'))).toEqual(['W806 /modules/1/requires/0']);
    expect(check(caller({ eventDeadline: '5ms', requires: [{ path: '/*', methods: ['GET'] }] }))).toEqual([
      'W806 /modules/1/requires/0',
      'W807 /modules/1/eventDeadline',
    ]);
  });
});

describe('model', () => {
  it('lays records out as C does', () => {
    const fields = [
      { name: 'a', type: 'u8' },
      { name: 'b', type: 'u16', count: 3 },
      { name: 'c', type: 'f64' },
      { name: 'd', type: 'bool' },
    ];
    const record = load(app({ types: { T: { type: 'record', fields } } })).app.records.get('T')!;
    expect(record.fields.map(({ offset }) => offset)).toEqual([0, 2, 8, 16]);
    expect(record.bytes).toBe(24);
  });
  it('numbers requirements: entry i first, other methods of exact paths behind', () => {
    const requires = [
      { path: '/a', methods: ['PUT', 'GET'] },
      { path: '/b/*', methods: ['GET', 'POST'] },
      { path: '/c', methods: ['DELETE'] },
    ];
    const [b] = load(app({ modules: [module({ requires })] })).app.modules;
    expect(numberRequirements(b!.requires).map(({ requirement, methods }) => [requirement.path, methods])).toEqual([
      ['a', ['GET', 'PUT']],
      ['b/*', ['GET', 'POST']],
      ['c', ['DELETE']],
      ['a', ['PUT']],
    ]);
  });
});

describe('custom section', () => {
  const plain = (): Promise<Uint8Array> =>
    wat('(module (func (export "get") (param i32 i32 i32 i32) (result i32) i32.const 0))');
  const model = () => {
    const types = { T: { type: 'bytes', max: 9 }, Unused: { type: 'cbor', max: 1 } };
    const provides = [service({ contract: { request: 'T' } })];
    return load(app({ types, modules: [module({ provides, stack: 2048 })] })).app.modules[0]!;
  };
  it('comes back as it went in, and replaces itself', async () => {
    const wasm = await plain();
    const once = embedManifest(wasm, model().travelling);
    expect(embedManifest(once, model().travelling)).toEqual(once);
    expect(Buffer.from(once.subarray(0, wasm.length))).toEqual(Buffer.from(wasm));
    const section = readManifestSection(once, 'a.wasm')!;
    expect(Object.keys(section.types)).toEqual(['T']);
    const joined = joinSections([{ file: 'a.wasm', section }]).app.modules[0]!;
    expect({ ...joined, pointer: '' }).toEqual({ ...model(), pointer: '' });
    expect(readManifestSection(wasm, 'a.wasm')).toBeNull();
  });
  it('is the same whatever the order of keys', () => {
    expect(encodeManifest({ b: 1, a: { d: 2, c: 3 } })).toEqual(encodeManifest({ a: { c: 3, d: 2 }, b: 1 }));
  });
  it('refuses what is no manifest', async () => {
    const wasm = await plain();
    const bad = (value: unknown): (() => unknown) => {
      return () => readManifestSection(embedManifest(wasm, value), 'a.wasm');
    };
    expect(bad(7)).toThrow(/form 1/);
    expect(bad({ thingspire: 2, module: {}, types: {} })).toThrow(/form 1/);
    expect(bad({ thingspire: 1, module: [] })).toThrow(/no module/);
    const name = [6, ...Buffer.from('things')];
    const raw = (...content: number[]): Uint8Array =>
      Uint8Array.from([...wasm, 0, name.length + content.length, ...name, ...content]);
    expect(() => readManifestSection(raw(0xff), 'a.wasm')).toThrow(DiagnosticError);
    expect(() => readManifestSection(raw(0xa2, 1, 1, 1, 2), 'a.wasm')).toThrow(DiagnosticError);
    expect(() => readManifestSection(raw(...Array<number>(100).fill(0x81)), 'a.wasm')).toThrow(DiagnosticError);
  });
});

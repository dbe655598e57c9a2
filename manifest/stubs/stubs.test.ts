// Stubs compiled by each language's own compiler and run in Node's engine: every scalar, arrays and unlucky names lie
// where the model says, calls have the numbers and bytes the kernel will see.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadManifest } from '../load.js';
import type { ScalarName } from '../file.js';
import type { AppModel, FieldModel } from '../model.js';
import { STUB_LANGUAGES } from './languages.js';
import { pascalCase, planStubs } from './plan.js';

const SCALARS: readonly ScalarName[] = [
  'u8',
  'f64',
  'i8',
  'u16',
  'bool',
  'i16',
  'u32',
  'u8',
  'i64',
  'i32',
  'f32',
  'u64',
];
const UNLUCKY = ['type', 'class', 'size', 'at', 'fn', 'match', 'register', 'self', 'value', 'index', 'address', 'x'];
const fields = [
  ...SCALARS.map((type, i) => ({ name: UNLUCKY[i]!, type })),
  { name: 'samples', type: 'i16', count: 3, min: -100, max: 100 },
  { name: 'last', type: 'u8' },
];
const handler = (name: string, method: string, path: string, contract: object) => ({
  method,
  path,
  handler: name,
  contract,
});
const things = {
  name: 'stubs',
  version: '1.0.0',
  types: {
    all: { type: 'record', fields },
    pair: {
      type: 'record',
      fields: [
        { name: 'a', type: 'u8' },
        { name: 'b', type: 'u32' },
      ],
    },
    pairs: { type: 'array', of: 'pair', max: 5 },
  },
  modules: [
    {
      name: 'the-giver',
      wasm: 'g.wasm',
      version: '1.0.0',
      provides: [
        handler('get_all', 'GET', '/all', { response: 'all' }),
        handler('put_all', 'PUT', '/all', { request: 'all' }),
        handler('sort', 'POST', '/pairs/{how}', { request: 'pairs', response: 'pairs' }),
        handler('echo', 'POST', '/echo', { request: { type: 'bytes', max: 9 }, response: { type: 'utf8', max: 9 } }),
        handler('odd', 'GET', '/odd', { response: { type: 'record', fields: [{ name: 'x', type: 'u8' }] } }),
      ],
    },
    {
      name: 'the-asker',
      wasm: 'a.wasm',
      version: '1.0.0',
      requires: [
        { path: '/all', methods: ['PUT', 'GET'] },
        { path: '/pairs/up', methods: ['POST'], name: 'sorted' },
        { path: '/echo', methods: ['POST'] },
        { path: '/dev/clock', methods: ['GET'] },
        { path: '/odd/*', methods: ['GET'] },
      ],
    },
  ],
};

const SIZE: Readonly<Record<ScalarName, number>> = {
  u8: 1,
  i8: 1,
  u16: 2,
  i16: 2,
  u32: 4,
  i32: 4,
  f32: 4,
  u64: 8,
  i64: 8,
  f64: 8,
  bool: 1,
};

function write(view: DataView, scalar: ScalarName, at: number, value: number): void {
  switch (scalar) {
    case 'f32':
      return view.setFloat32(at, value, true);
    case 'f64':
      return view.setFloat64(at, value, true);
    case 'u64':
    case 'i64':
      return view.setBigInt64(at, BigInt(value), true);
    default:
      for (let k = 0; k < SIZE[scalar]; k++) view.setUint8(at + k, (value >> (8 * k)) & 0xff);
  }
}

/** A value for each element of each field that its bytes show: negative where it can be. */
function valueOf(field: FieldModel, element: number, seed: number): number {
  const { scalar } = field;
  if (scalar === 'bool') return (seed + field.offset) & 1;
  const n = ((seed * 37 + field.offset * 11 + element * 5) % 100) + 1;
  return scalar.startsWith('u') ? n : -n;
}

/** What the module must have written, and what it is given. */
function bytesOf(all: readonly FieldModel[], bytes: number, seed: number): Uint8Array {
  const out = new Uint8Array(bytes);
  for (const field of all)
    for (let i = 0; i < (field.count ?? 1); i++)
      write(new DataView(out.buffer), field.scalar, field.offset + i * SIZE[field.scalar], valueOf(field, i, seed));
  return out;
}

/** How a language names, sets and compares an element. */
interface Syntax {
  readonly set: (name: string, index: number | null, value: number, scalar: ScalarName) => string;
  readonly get: (name: string, index: number | null, value: number, scalar: ScalarName) => string;
}

const elements = (all: readonly FieldModel[], each: (field: FieldModel, index: number | null) => string): string =>
  all
    .flatMap((field) => (field.count === null ? [each(field, null)] : [0, 1, 2].map((i) => each(field, i))))
    .join('\n  ');

const taken = {
  c: ['register', 'class'],
  assemblyscript: ['size', 'at', 'address', 'class', 'type'],
  rust: ['type', 'fn', 'match', 'self'],
};
const named = (language: keyof typeof taken, name: string): string =>
  taken[language].includes(name) ? `${name}_` : name;
const at = (index: number | null): string => (index === null ? '' : `[${index}]`);
const SYNTAX: Readonly<Record<keyof typeof taken, Syntax>> = {
  c: {
    set: (name, index, value) => `all.${named('c', name)}${at(index)} = ${value};`,
    get: (name, index, value) => `equal += all.${named('c', name)}${at(index)} == ${value};`,
  },
  assemblyscript: {
    set: (name, index, value, scalar) => {
      const v = scalar === 'bool' ? String(value !== 0) : String(value);
      return index === null ? `all.${named('assemblyscript', name)} = ${v};` : `all.set_${name}(${index}, ${v});`;
    },
    get: (name, index, value, scalar) => {
      const v = scalar === 'bool' ? String(value !== 0) : String(value);
      const got = index === null ? `all.${named('assemblyscript', name)}` : `all.get_${name}(${index})`;
      return `if (${got} == ${v}) equal++;`;
    },
  },
  rust: {
    set: (name, index, value, scalar) =>
      `all.${named('rust', name)}${at(index)} = ${value}${scalar.startsWith('f') ? '.0' : ''};`,
    get: (name, index, value, scalar) =>
      `if all.${named('rust', name)}${at(index)} == ${value}${scalar.startsWith('f') ? '.0' : ''} { equal += 1; }`,
  },
};

const SOURCES: Readonly<Record<keyof typeof taken, (set: string, get: string) => string>> = {
  c: (set, get) => `#include "the_asker_things.h"
#include "the_giver_things.h"
static struct all all; static struct pair pairs[5]; static char text[9];
TS_EXPORT("run") uint32_t run(void) {
  uint32_t equal = 0, got = 99; uint64_t clock;
  ${set}
  if (ts_code(call_all_put(&all)) != TS_CHANGED) return 1000;
  if (ts_code(call_all_get(&all)) != TS_CONTENT) return 1001;
  ${get}
  pairs[1].b = 7;
  call_sorted_post(pairs, 2, pairs, 5, &got);
  if (call_echo_post("hello", 5, text, sizeof text) != ts_reply(TS_CONTENT, 3)) return 1002;
  call_dev_clock_get(NULL, 0, &clock, sizeof clock);
  return equal + 100 * got;
}
ts_result get_all(const void *payload, uint32_t payload_bytes, struct all *response, uint32_t capacity) {
  (void)payload, (void)payload_bytes;
  return ts_content(response, capacity, &all, sizeof all);
}
ts_result put_all(const struct all *payload, uint32_t payload_bytes, void *response, uint32_t capacity) {
  (void)payload_bytes, (void)response, (void)capacity;
  all = *payload;
  return ts_reply(TS_CHANGED, 0);
}
`,
  assemblyscript: (set, get) => `import { Code, code, length } from "thingspire";
import { All, Pair, callAllPut, callAllGet, callSortedPost, callEchoPost, callDevClockGet } from "./the_asker_things";
const all = All.at(memory.data(128)), pairs = Pair.at(memory.data(64)), text = memory.data(16);
export function run(): u32 {
  let equal: u32 = 0;
  ${set}
  if (code(callAllPut(all)) != Code.Changed) return 1000;
  if (code(callAllGet(all)) != Code.Content) return 1001;
  ${get}
  Pair.at(pairs.address + Pair.size).b = 7;
  const sorted = callSortedPost(pairs, 2, pairs, 5);
  store<u8>(text, 104);
  if (length(callEchoPost(text, 5, text, 9)) != 3) return 1002;
  callDevClockGet(0, 0, text, 8);
  return equal + 100 * (length(sorted) / Pair.size);
}
`,
  rust: (set, get) => `#![no_std]
#![crate_type = "cdylib"]
#[path = "the_asker_things.rs"]
mod things;
use thingspire::Code;
use things::*;
#[no_mangle]
pub extern "C" fn run() -> u32 {
  let mut equal = 0;
  let mut all = All::ZERO;
  ${set}
  if call_all_put(&all).code() != Code::CHANGED { return 1000; }
  if call_all_get(&mut all).code() != Code::CONTENT { return 1001; }
  ${get}
  let mut pairs = [Pair::ZERO; 5];
  pairs[1].b = 7;
  let sorted = call_sorted_post(&[pairs[0], pairs[1]], &mut pairs);
  let mut text = [0u8; 9];
  if call_echo_post(b"hello", &mut text).length() != 3 { return 1002; }
  call_dev_clock_get(&[], &mut text[..8]);
  equal + 100 * (sorted.length() / 8) as u32
}
`,
};

interface Compilers {
  compileC: (source: string, wasm: string, options: object) => string | undefined;
  compileAssemblyScript: (source: string, wasm: string) => string | undefined;
  compileRust: (source: string, wasm: string, options: object) => string | undefined;
}

interface Seen {
  readonly requirement: number;
  readonly payload: Uint8Array;
  readonly capacity: number;
}

describe('stubs', () => {
  let app: AppModel;
  let folder: string;
  let compilers: Compilers;
  beforeAll(async () => {
    app = loadManifest(Buffer.from(JSON.stringify(things)), 'things.json').app;
    folder = mkdtempSync(join(tmpdir(), 'stubs-'));
    compilers = (await import(new URL('../../scripts/setup/languages.mjs', import.meta.url).href)) as Compilers;
    for (const { text, file } of Object.values(STUB_LANGUAGES))
      for (const { name } of app.modules) writeFileSync(join(folder, file(name)), text(planStubs(app, name)));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(['c', 'assemblyscript', 'rust'] as const)('%s', (language) => {
    const record = app.records.get('all')!;
    const { set, get } = SYNTAX[language];
    const source = SOURCES[language](
      elements(record.fields, (field, i) => set(field.name, i, valueOf(field, i ?? 0, 1), field.scalar)),
      elements(record.fields, (field, i) => get(field.name, i, valueOf(field, i ?? 0, 2), field.scalar)),
    );
    const from = join(folder, `main.${{ c: 'c', assemblyscript: 'ts', rust: 'rs' }[language]}`);
    const to = join(folder, `${language}.wasm`);
    writeFileSync(from, source);
    const missing =
      language === 'c'
        ? compilers.compileC(from, to, { flags: [`-I${folder}`] })
        : language === 'rust'
          ? compilers.compileRust(from, to, { library: true })
          : compilers.compileAssemblyScript(from, to);
    if (missing !== undefined && !existsSync(to))
      return console.warn(`${language} stubs not compiled: ${missing} is missing`);

    const seen: Seen[] = [];
    const given: Readonly<Record<number, [number, Uint8Array]>> = {
      0: [0x45, bytesOf(record.fields, record.bytes, 2)],
      1: [0x44, new Uint8Array(24)],
      2: [0x45, Buffer.from('abc')],
      3: [0x45, new Uint8Array(8)],
      5: [0x44, new Uint8Array(0)],
    };
    const call = (requirement: number, payload: number, bytes: number, response: number, capacity: number): number => {
      const view = new Uint8Array((instance.exports['memory'] as WebAssembly.Memory).buffer);
      seen.push({ requirement, payload: view.slice(payload, payload + bytes), capacity });
      const [code, answer] = given[requirement]!;
      view.set(answer, response);
      return (code << 24) | answer.length;
    };
    const nothing = new Proxy({ call } as Record<string, unknown>, {
      get: (own, name) => own[String(name)] ?? (() => 0),
    });
    const instance: WebAssembly.Instance = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(to)), {
      thingspire: nothing as never,
      env: {},
    });
    const count = record.fields.reduce((sum, field) => sum + (field.count ?? 1), 0);
    expect((instance.exports['run'] as () => number)()).toBe(count + 100 * 3);
    // PUT /all has its own number behind the others, as it is the second method of the first requirement.
    expect(seen.map(({ requirement, capacity }) => [requirement, capacity])).toEqual([
      [5, 0],
      [0, record.bytes],
      [1, 40],
      [2, 9],
      [3, 8],
    ]);
    const written = seen[0]!.payload;
    const expected = bytesOf(record.fields, record.bytes, 1);
    for (const { name, offset, scalar, count: n } of record.fields)
      expect(written.slice(offset, offset + SIZE[scalar] * (n ?? 1)), name).toEqual(
        expected.slice(offset, offset + SIZE[scalar] * (n ?? 1)),
      );
    expect(seen[2]!.payload.length).toBe(16);
    expect(new DataView(seen[2]!.payload.buffer).getUint32(12, true)).toBe(7);
  });

  it('name records without a name after their handler', () => {
    const plan = planStubs(app, 'the-giver');
    expect(plan.records.map(({ name }) => name)).toEqual(['all', 'pair', 'odd_response']);
    expect(pascalCase('odd_response')).toBe('OddResponse');
    expect(() => planStubs(app, 'nobody')).toThrow(/must be one of the-giver, the-asker/);
  });
});

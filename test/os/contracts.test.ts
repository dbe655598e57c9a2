// Contracts at the boundary: sizes, ranges of every scalar, arrays, UTF-8, CBOR, allowed callers, rates. What the caller did
// wrong is 4.xx and harms nobody; what the callee answers wrongly is 5.00 and its fault.
import { beforeAll, describe, expect, it } from 'vitest';
import type { TypeEntry } from '../../manifest/file.js';
import { bootDevice, handler, IMPORTS, prepareRuntime, word, type ModuleText, type OsDevice } from './os-device.js';

type ServiceEntry = NonNullable<ModuleText['provides']>[number];

const record = {
  type: 'record',
  fields: [
    { name: 'a', type: 'u8', min: 1, max: 5 },
    { name: 'b', type: 'i8', min: -3, max: 3 },
    { name: 'c', type: 'u16', min: 100, max: 60000 },
    { name: 'd', type: 'i16', min: -300, max: -200 },
    { name: 'e', type: 'bool' },
    { name: 'f', type: 'u32', min: 5, max: 0xfffffff0 },
    { name: 'g', type: 'i32', min: -70000, max: 70000 },
    { name: 'h', type: 'f32', min: -1.5, max: 2 },
    { name: 'i', type: 'i64', min: -5, max: 5 },
    { name: 'j', type: 'f64', min: 0, max: 1000 },
    { name: 'k', type: 'u16', min: 1, max: 9, count: 3 },
  ],
} satisfies TypeEntry;
const OFFSETS = { a: 0, b: 1, c: 2, d: 4, e: 6, f: 8, g: 12, h: 16, i: 24, j: 32, k: 40 };
const RECORD_BYTES = 48;
type Fields = Record<keyof Omit<typeof OFFSETS, 'k' | 'i'>, number> & { i: bigint; k: readonly number[] };
const good: Fields = {
  a: 3,
  b: -3,
  c: 60000,
  d: -250,
  e: 1,
  f: 0xfffffff0,
  g: -70000,
  h: 2,
  i: -5n,
  j: 999.5,
  k: [1, 5, 9],
};

function encode(fields: Fields): Buffer {
  const bytes = Buffer.alloc(RECORD_BYTES);
  bytes.writeUInt8(fields.a, OFFSETS.a);
  bytes.writeInt8(fields.b, OFFSETS.b);
  bytes.writeUInt16LE(fields.c, OFFSETS.c);
  bytes.writeInt16LE(fields.d, OFFSETS.d);
  bytes.writeUInt8(fields.e, OFFSETS.e);
  bytes.writeUInt32LE(fields.f, OFFSETS.f);
  bytes.writeInt32LE(fields.g, OFFSETS.g);
  bytes.writeFloatLE(fields.h, OFFSETS.h);
  bytes.writeBigInt64LE(fields.i, OFFSETS.i);
  bytes.writeDoubleLE(fields.j, OFFSETS.j);
  fields.k.forEach((value, i) => bytes.writeUInt16LE(value, OFFSETS.k + 2 * i));
  return bytes;
}

/** The part of it that calls by number check on their own way (call.S). */
const plain: TypeEntry = { type: 'record', fields: record.fields.filter(({ name }) => name <= 'h') };
const PLAIN_BYTES = 20;
const PLAIN_FIELDS: ReadonlySet<string> = new Set(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']);

const small: TypeEntry = {
  type: 'record',
  fields: [
    { name: 'x', type: 'u8', max: 9 },
    { name: 'y', type: 'u8' },
  ],
};

/** PUT accepts the type, GET answers what was put last whatever it is, under the same type. */
function pair(path: string, type: TypeEntry): ServiceEntry[] {
  return [
    { method: 'PUT', path: `/${path}`, handler: 'put', contract: { request: type, deadline: '2ms' } },
    { method: 'GET', path: `/${path}`, handler: 'get', contract: { response: type, deadline: '2ms' } },
  ];
}

const store: ModuleText = {
  name: 'store',
  restart: { policy: 'on-fault', backoff: '1ms' },
  provides: [
    ...pair('record', record),
    ...pair('plain', plain),
    ...pair('list', { type: 'array', of: small as never, min: 1, max: 4 }),
    ...pair('text', { type: 'utf8', max: 16 }),
    ...pair('cbor', { type: 'cbor', max: 40 }),
    {
      method: 'PUT',
      path: '/any',
      handler: 'put',
      contract: { request: { type: 'bytes', max: 100 }, deadline: '2ms' },
    },
    { method: 'GET', path: '/private', handler: 'ok', contract: { deadline: '1ms', callers: ['friend'] } },
    { method: 'GET', path: '/slow', handler: 'ok', contract: { deadline: '1ms', rate: '100/s', burst: 3 } },
    { method: 'GET', path: '/none', handler: 'ok', contract: { deadline: '1ms' } },
  ],
  wat: `${IMPORTS} (memory (export "memory") 1)
    ${handler('put', '(memory.copy (i32.const 1024) (local.get $p) (local.get $n)) (i32.store (i32.const 1020) (local.get $n)) (i32.const 0x44)')}
    ${handler('get', `(memory.copy (local.get $r) (i32.const 1024) (i32.load (i32.const 1020))) (i32.or (i32.const ${word(2.05)}) (i32.load (i32.const 1020)))`)}
    ${handler('ok', '(i32.const 0x45)')}`,
};
const asker = (name: string): ModuleText => ({
  name,
  provides: [
    {
      method: 'GET',
      path: `/${name}`,
      handler: 'ask',
      contract: { response: { type: 'bytes', max: 4 }, deadline: '5ms' },
    },
  ],
  requires: [{ path: '/private', methods: ['GET'] }],
  wat: `${IMPORTS} (memory (export "memory") 1) ${handler(
    'ask',
    `(i32.store (local.get $r) (call $call (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))) (i32.const ${word(2.05, 4)})`,
  )}`,
});

/** Sends what it gets to /plain by number, and gets from there: the result word comes back. */
const proxy: ModuleText = {
  name: 'proxy',
  provides: [
    {
      method: 'PUT',
      path: '/via',
      handler: 'put',
      contract: { request: { type: 'bytes', max: 64 }, response: { type: 'bytes', max: 4 }, deadline: '5ms' },
    },
    { method: 'GET', path: '/via', handler: 'get', contract: { response: { type: 'bytes', max: 4 }, deadline: '5ms' } },
  ],
  requires: [
    { path: '/plain', methods: ['PUT'], name: 'put' },
    { path: '/plain', methods: ['GET'], name: 'get' },
  ],
  wat: `${IMPORTS} (memory (export "memory") 1)
    ${handler(
      'put',
      `(memory.copy (i32.const 512) (local.get $p) (local.get $n))
       (i32.store (local.get $r) (call $call (i32.const 0) (i32.const 512) (local.get $n) (i32.const 0) (i32.const 0))) (i32.const ${word(2.05, 4)})`,
    )}
    ${handler(
      'get',
      `(i32.store (local.get $r) (call $call (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 1024) (i32.const 64))) (i32.const ${word(2.05, 4)})`,
    )}`,
};

/** GET /tight/{n}: asks for /plain with room for n bytes, by number and by URI; both result words come back. */
const tight: ModuleText = {
  name: 'tight',
  memory: { max: 4096 },
  provides: [
    {
      method: 'PUT',
      path: '/tight',
      handler: 'ask',
      contract: { request: { type: 'bytes', max: 1 }, response: { type: 'bytes', max: 8 }, deadline: '8ms' },
    },
  ],
  requires: [{ path: '/plain', methods: ['GET'] }],
  wat: `${IMPORTS} (memory (export "memory") 1) (data (i32.const 0) "/plain")
    ${handler(
      'ask',
      `(local.set $room (i32.load8_u (local.get $p)))
       (i32.store (local.get $r) (call $call (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1024) (local.get $room)))
       (i32.store offset=4 (local.get $r) (call $request (i32.const 1) (i32.const 0) (i32.const 6)
         (i32.const 0) (i32.const 0) (i32.const 1024) (local.get $room)))
       (i32.const ${word(2.05, 8)})`,
      '(local $room i32)',
    )}`,
};

describe('contracts', () => {
  let device: OsDevice;
  const put = (path: string, payload: Uint8Array | string): number => device.request('PUT', path, payload).code;
  beforeAll(async () => {
    await prepareRuntime();
    device = await bootDevice([store, proxy, tight, asker('friend'), asker('stranger')]);
  }, 120_000);

  it('accepts a record with every field in range', () => {
    expect(put('/record', encode(good))).toBe(2.04);
    expect(device.get('/record').payload).toEqual(encode(good));
  });
  const bad: [string, Partial<Fields>][] = [
    ['u8 below', { a: 0 }],
    ['u8 above', { a: 6 }],
    ['i8 below', { b: -4 }],
    ['i8 above', { b: 4 }],
    ['u16 below', { c: 99 }],
    ['u16 above', { c: 60001 }],
    ['i16 below', { d: -301 }],
    ['i16 above', { d: -199 }],
    ['bool', { e: 2 }],
    ['u32 below', { f: 4 }],
    ['u32 above', { f: 0xfffffff1 }],
    ['i32 below', { g: -70001 }],
    ['i32 above', { g: 70001 }],
    ['f32 below', { h: -1.6 }],
    ['f32 above', { h: 2.0001 }],
    ['f32 NaN', { h: NaN }],
    ['f32 infinity', { h: Infinity }],
    ['i64 below', { i: -6n }],
    ['i64 above', { i: 6n }],
    ['i64 high word', { i: 1n << 32n }],
    ['i64 sign only', { i: 0xffffffff_00000000n - (1n << 64n) + 1n }],
    ['f64 below', { j: -0.001 }],
    ['f64 above', { j: 1000.0001 }],
    ['f64 NaN', { j: NaN }],
    ['array first', { k: [0, 5, 9] }],
    ['array last', { k: [1, 5, 10] }],
  ];
  it.each(bad)('refuses %s out of range with 4.00', (_, fields) => {
    expect(put('/record', encode({ ...good, ...fields }))).toBe(4);
  });
  const fine: [string, Partial<Fields>][] = [
    ['f32 minus zero', { h: -0 }],
    ['f64 minus zero', { j: -0 }],
    ['f32 least', { h: -1.5 }],
    ['i64 most', { i: 5n }],
    ['f64 most', { j: 1000 }],
  ];
  it.each(fine)('accepts %s', (_, fields) => {
    expect(put('/record', encode({ ...good, ...fields }))).toBe(2.04);
  });
  describe('of calls by number', () => {
    const via = (payload: Uint8Array): number => device.request('PUT', '/via', payload).payload.readUInt32LE();
    const of = (fields: Partial<Fields>): Buffer => encode({ ...good, ...fields }).subarray(0, PLAIN_BYTES);
    const isPlain = ([, fields]: [string, Partial<Fields>]): boolean =>
      Object.keys(fields).every((name) => PLAIN_FIELDS.has(name));
    it('accept what is in range', () => {
      for (let i = 0; i < 3; i++) expect(via(of({}))).toBe(word(2.04));
      expect(device.get('/via').payload.readUInt32LE()).toBe(word(2.05, PLAIN_BYTES));
      expect(device.get('/via').payload.readUInt32LE()).toBe(word(2.05, PLAIN_BYTES));
    });
    it.each(bad.filter(isPlain))('refuse %s out of range with 4.00', (_, fields) => {
      expect(via(of(fields))).toBe(word(4));
    });
    it.each(fine.filter(isPlain))('accept %s', (_, fields) => {
      expect(via(of(fields))).toBe(word(2.04));
    });
    it('refuse other sizes', () => {
      expect(via(of({}).subarray(1))).toBe(word(4));
      expect(via(Buffer.concat([of({}), Buffer.of(0)]))).toBe(word(4.13));
    });
    it.each(bad.filter(isPlain))('take %s in a response for a breach', (_, fields) => {
      expect(put('/any', of(fields))).toBe(2.04);
      expect(device.get('/via').payload.readUInt32LE()).toBe(word(5));
      expect(device.console).toContain('fault: module store 1.0.0: contract broken');
      device.console = '';
      device.pass(100);
    });
    it('take a response of another size for a breach', () => {
      for (const bytes of [0, PLAIN_BYTES - 1, PLAIN_BYTES + 1]) {
        expect(put('/any', Buffer.alloc(bytes, 3))).toBe(2.04);
        expect(device.get('/via').payload.readUInt32LE()).toBe(word(5));
        device.pass(100);
      }
    });
  });
  it('refuses a buffer that the answer cannot fit, before the handler could trap on it', () => {
    const results = (room: number): number[] => {
      const { payload } = device.request('PUT', '/tight', Uint8Array.of(room));
      return [payload.readUInt32LE(0), payload.readUInt32LE(4)];
    };
    expect(put('/plain', encode(good).subarray(0, PLAIN_BYTES))).toBe(2.04);
    const { faults } = device.module('store');
    expect(results(PLAIN_BYTES)).toEqual([word(2.05, PLAIN_BYTES), word(2.05, PLAIN_BYTES)]);
    for (const room of [PLAIN_BYTES - 1, 1, 0]) expect(results(room)).toEqual([word(4.13), word(4.13)]);
    expect(device.module('store').faults).toBe(faults);
  });

  it('refuses a record of another size', () => {
    expect(put('/record', encode(good).subarray(1))).toBe(4);
    expect(put('/record', Buffer.concat([encode(good), Buffer.of(0)]))).toBe(4.13);
    expect(put('/record', '')).toBe(4);
    expect(device.request('GET', '/none', 'x').code).toBe(4.13);
  });
  it('checks every element of an array and that none is cut', () => {
    expect(put('/list', Buffer.of(9, 255, 0, 0))).toBe(2.04);
    expect(put('/list', Buffer.of(9, 255, 10, 0))).toBe(4);
    expect(put('/list', Buffer.of(9, 255, 1))).toBe(4);
    expect(put('/list', '')).toBe(4);
    expect(put('/list', Buffer.alloc(8))).toBe(2.04);
    expect(put('/list', Buffer.alloc(10))).toBe(4.13);
  });
  it('knows UTF-8', () => {
    for (const text of ['', 'plain', 'é', '€', '😀', '\u0000', '\ud7ff', '\ue000', '\u{10ffff}'])
      expect(put('/text', text), text).toBe(2.04);
    const wrong = ['80', 'c0af', 'c3', 'e282', 'e08080', 'eda080', 'f0808080', 'f4908080', 'f8888080', 'ff', '41c328'];
    for (const hex of wrong) expect(put('/text', Buffer.from(hex, 'hex')), hex).toBe(4);
  });
  it('knows CBOR: one item, well-formed, at most 8 deep', () => {
    const right = [
      '00',
      '17',
      '1818',
      '19ffff',
      '1affffffff',
      '1bffffffffffffffff',
      '20',
      '40',
      '43010203',
      '60',
      '6161',
      '80',
      '83010203',
      'a0',
      'a10102',
      'a2616101616202',
      'c074323031332d30332d32315432303a30343a30305a',
      'f4',
      'f6',
      'f8ff',
      'f93c00',
      'fa47c35000',
      'fb3ff199999999999a',
      '5f42010243030405ff',
      '7f657374726561646d696e67ff',
      '9fff',
      '9f0102ff',
      'bf6161016162 9f0203ffff',
      '8181818181818180',
      'bfc10101ff',
      'd9d9f780',
    ];
    for (const hex of right) expect(put('/cbor', Buffer.from(hex.replace(' ', ''), 'hex')), hex).toBe(2.04);
    const wrong = [
      '',
      '18',
      '19ff',
      '1c',
      '1f',
      '3f',
      '41',
      '4201',
      '61',
      '81',
      '8201',
      'a1',
      'a101',
      'a20102 03',
      'c0',
      'f800',
      'f81f',
      'f9',
      'fc',
      '0000',
      'ff',
      '5f',
      '5f01ff',
      '5f6161ff',
      '5f5f4100ffff',
      '9f',
      '9f01',
      'bf',
      'bf01ff',
      'bf0102 03ff',
      'dfff',
      '7f4100ff',
      '818181818181818180',
      '9bffffffffffffffff',
      'bbffffffffffffffff',
      '5bffffffffffffffff',
      'bf01c1ff',
      '9affffffff',
      'ba8000000001',
    ];
    for (const hex of wrong) expect(put('/cbor', Buffer.from(hex.replace(' ', ''), 'hex')), hex).toBe(4);
  });
  it('takes a response that breaks its type for a fault of the callee', () => {
    for (const [path, payload] of [
      ['/record', encode({ ...good, a: 0 })],
      ['/record', encode(good).subarray(4)],
      ['/text', Buffer.of(0xff)],
      ['/cbor', Buffer.of(0x81)],
      ['/list', Buffer.of(77, 0)],
    ] as const) {
      device.console = '';
      expect(put('/any', payload)).toBe(2.04);
      expect(device.get(path).code).toBe(5);
      expect(device.console).toContain('fault: module store 1.0.0: contract broken');
      device.pass(200);
    }
    expect(put('/record', encode(good))).toBe(2.04);
  });
  it('lets only the callers in that the contract names', () => {
    expect(device.get('/friend').payload.readUInt32LE()).toBe(word(2.05));
    expect(device.get('/stranger').payload.readUInt32LE()).toBe(word(4.03));
    expect(device.get('/private').code).toBe(2.05);
  });
  it('limits rate and burst', () => {
    const codes = Array.from({ length: 5 }, () => device.get('/slow').code);
    expect(codes).toEqual([2.05, 2.05, 2.05, 4.29, 4.29]);
    device.pass(11);
    expect([device.get('/slow').code, device.get('/slow').code]).toEqual([2.05, 4.29]);
    device.pass(100);
    expect(Array.from({ length: 4 }, () => device.get('/slow').code)).toEqual([2.05, 2.05, 2.05, 4.29]);
  });
  it('holds no grant when nothing runs', () => {
    expect(device.liveGrants()).toEqual([]);
  });
});

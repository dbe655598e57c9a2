// Contracts: each kind of payload, right and wrong, on the way in and on the way out; callers and rates.
import type { TypeEntry, TypeUse } from '../../../manifest/file.js';
import { handler, IMPORTS, word } from '../../os/os-device.js';
import type { Case, CaseModule, Step } from '../case.js';

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replace(/ /g, ''), 'hex'));

const TYPES: Record<string, TypeEntry> = {
  scalars: {
    type: 'record',
    fields: [
      { name: 'a', type: 'u8', min: 3, max: 200 },
      { name: 'b', type: 'i8', min: -100, max: 7 },
      { name: 'c', type: 'u16', max: 1000 },
      { name: 'd', type: 'i16', min: -2 },
      { name: 'e', type: 'u32', min: 10 },
      { name: 'f', type: 'i32', max: -1 },
    ],
  },
  wide: {
    type: 'record',
    fields: [
      { name: 'a', type: 'u64', min: 1, max: 4000000000 },
      { name: 'b', type: 'i64', min: -2000000000, max: 2000000000 },
      { name: 'c', type: 'f64', min: -0.5, max: 1000 },
      { name: 'd', type: 'f32', min: 0, max: 1.5 },
      { name: 'e', type: 'bool' },
    ],
  },
  free: {
    type: 'record',
    fields: [
      { name: 'x', type: 'f32' },
      { name: 'y', type: 'u16', count: 3 },
    ],
  },
  ranged: {
    type: 'record',
    fields: [
      { name: 'x', type: 'i16', count: 3, min: -5, max: 5 },
      { name: 'on', type: 'bool' },
    ],
  },
  list: { type: 'array', of: 'ranged', min: 1, max: 3 },
  some: { type: 'bytes', min: 2, max: 6 },
  line: { type: 'utf8', min: 1, max: 12 },
  item: { type: 'cbor', max: 40 },
};

/** Payloads for each type, right ones and all kinds of wrong ones. */
const f64 = (value: number): string => Buffer.from(new Float64Array([value]).buffer).toString('hex');
const f32 = (value: number): string => Buffer.from(new Float32Array([value]).buffer).toString('hex');
const wide = (a: string, b: string, c: number, d: number, e: string): string => `${a}${b}${f64(c)}${f32(d)}${e}000000`;
const LOW = '0100000000000000';
const scalars = (a: string, b: string, c: string, d: string, e: string, f: string): string =>
  `${a}${b}${c}${d}0000${e}${f}`;
const PAYLOADS: Readonly<Record<string, readonly string[]>> = {
  scalars: [
    scalars('03', '07', 'e803', 'feff', '0a000000', 'ffffffff'),
    scalars('c8', '9c', '0000', 'ff7f', 'ffffffff', '00000080'),
    scalars('02', '07', 'e803', 'feff', '0a000000', 'ffffffff'),
    scalars('c9', '07', 'e803', 'feff', '0a000000', 'ffffffff'),
    scalars('03', '08', 'e803', 'feff', '0a000000', 'ffffffff'),
    scalars('03', '9b', 'e803', 'feff', '0a000000', 'ffffffff'),
    scalars('03', '07', 'e903', 'feff', '0a000000', 'ffffffff'),
    scalars('03', '07', 'e803', 'fdff', '0a000000', 'ffffffff'),
    scalars('03', '07', 'e803', 'feff', '09000000', 'ffffffff'),
    scalars('03', '07', 'e803', 'feff', '0a000000', '00000000'),
    '0307e803',
    '',
    `${scalars('03', '07', 'e803', 'feff', '0a000000', 'ffffffff')}00`,
  ],
  wide: [
    wide(LOW, LOW, 0, 0, '01'),
    wide('00286bee00000000', '006cca88ffffffff', -0.5, 1.5, '00'),
    wide('0000000000000000', LOW, 0, 0, '01'),
    wide('01286bee00000000', LOW, 0, 0, '01'),
    wide('0100000001000000', LOW, 0, 0, '01'),
    wide(LOW, 'ff6bca88ffffffff', 0, 0, '01'),
    wide(LOW, '0194357700000000', 0, 0, '01'),
    wide(LOW, LOW, -0.50001, 0, '01'),
    wide(LOW, LOW, 1000.5, 0, '01'),
    wide(LOW, LOW, NaN, 0, '01'),
    wide(LOW, LOW, -0, -0, '01'),
    wide(LOW, LOW, 0, NaN, '01'),
    wide(LOW, LOW, 0, Infinity, '01'),
    wide(LOW, LOW, 0, -1e-30, '01'),
    wide(LOW, LOW, 0, 0, '02'),
  ],
  free: ['0000c07f 0100 0200 0300 0000', '0000c07f 0100 0200', ''],
  list: [
    '0100 0200 0300 01 00',
    '0100 0200 0300 01 00 fbff 0500 0000 00 00',
    '0100 0200 0300 01 00 0100 0200 0300 01 00 0100 0200 0300 00 00',
    '0100 0200 0300 01 00 0100 0200 0300 01 00 0100 0200 0300 00 00 0100 0200 0300 00 00',
    '',
    '0100 0200 0300 01',
    '0100 0600 0300 01 00',
    '0100 0200 0300 01 00 0100 0200 0300 02 00',
  ],
  some: ['', '01', '0102', '010203040506', '01020304050607'],
  line: [
    '61',
    'c3a4 e282ac f09f9880',
    '',
    'c3',
    'c0af',
    'eda080',
    'f4908080',
    '80',
    '61 62 63 64 65 66 67 68 69 6a 6b 6c 6d',
    '00',
  ],
  item: [
    '00',
    '1864',
    '83 01 02 03',
    'a1 61 61 01',
    '',
    '0001',
    '18',
    '81',
    'ff',
    '9f 01 ff',
    'bf 61 61 01 ff',
    'bf 61 61 ff',
    '5f 41 01 42 02 03 ff',
    '5f 61 61 ff',
    '7f 61 61 ff',
    'f8 18',
    'f8 20',
    'f7',
    'fb 7ff8000000000000',
    'c2 41 01',
    'c2',
    '1c',
    'd8 18 41 00',
    '81 81 81 81 81 81 81 00',
    '81 81 81 81 81 81 81 81 00',
    '81 81 81 81 81 81 81 81 81 00',
    'a2 00 00 00 00',
    '5b ff ff ff ff ff ff ff ff 00',
    '9b 00 00 00 00 00 00 00 01 00',
    '63 c3 28 61',
    '3b ff ff ff ff ff ff ff ff',
    'f9 7e00',
    'ff 00',
    '9f ff',
  ],
};

const any: TypeUse = { type: 'bytes', max: 160 };
/** Answers what it gets, with code 2.05. */
const MIRROR = `(memory.copy (local.get $r) (local.get $p) (local.get $n)) (i32.or (i32.const ${word(2.05) | 0}) (local.get $n))`;

const typed = (entry: (type: string) => { request: TypeUse; response: TypeUse }, name: string): CaseModule => ({
  name,
  source: { wat: `${IMPORTS} (memory (export "memory") 1) ${handler('mirror', MIRROR)}` },
  memory: { max: 65536 },
  restart: { policy: 'on-fault', backoff: '1ms' },
  provides: Object.keys(PAYLOADS).map((type) => ({
    method: 'POST',
    path: `/${type}`,
    handler: 'mirror',
    contract: { ...entry(type), deadline: '10ms' },
  })),
});
const each = (steps: (uri: string, payload: Uint8Array) => readonly Step[]): Step[] =>
  Object.entries(PAYLOADS).flatMap(([type, payloads]) => payloads.flatMap((text) => steps(`/${type}`, hex(text))));

/** A handler that answers with the word of its payload, and as much text as that says. */
const ANSWERS = ((): CaseModule => ({
  name: 'answers',
  source: { wat: `${IMPORTS} (memory (export "memory") 1) ${handler('say', '(i32.load (local.get $p))')}` },
  restart: { policy: 'on-fault', backoff: '1ms' },
  provides: (['some', 'scalars', 'none'] as const).map((response) => ({
    method: 'POST',
    path: `/say/${response}`,
    handler: 'say',
    contract: { request: { type: 'bytes', max: 4 }, response, deadline: '10ms' },
  })),
}))();
const le = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
const RESULTS = [
  0x44, 0x45, 0x45000000, 0x44000000, 0x45000001, 0x45000002, 0x45000006, 0x45000007, 0x45000014, 0x450000c8,
  0x450000c9, 0x80000000, 0x80, 0x84000040, 0x84000041, 0xa0000000, 0xa3, 0, 0xff, 0x145, 0x20000000, 0x60000000,
  0xe0000000, 0xffffffff,
];

const client = (name: string, more: string): CaseModule => ({
  name,
  source: {
    wat: `${IMPORTS} (memory (export "memory") 1)
      ${handler('go', `(i32.store (local.get $r) (call $call (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))) (i32.const ${word(2.05, 4) | 0})`)}`,
  },
  requires: [{ path: more, methods: ['GET'] }],
  provides: [
    {
      method: 'GET',
      path: `/${name}`,
      handler: 'go',
      contract: { response: { type: 'bytes', max: 4 }, deadline: '20ms' },
    },
  ],
});
const plain = (path: string, contract: object) =>
  ({ method: 'GET', path, handler: 'fine', contract: { deadline: '5ms', ...contract } }) as const;

export const CONTRACTS: readonly Case[] = [
  {
    name: 'contracts: requests',
    shows: 'every kind of payload, ranges of every scalar, at the way in: 4.00 and 4.13 before the handler runs',
    types: TYPES,
    modules: [typed((type) => ({ request: type, response: any }), 'typed')],
    steps: each((uri, payload) => [{ ask: 'POST', uri, payload }]),
  },
  {
    name: 'contracts: responses',
    shows: 'the same at the way out: 5.00, a fault of the provider, its restart',
    types: TYPES,
    modules: [typed((type) => ({ request: any, response: type }), 'typed')],
    // A fault of each kind; more would only wait for restarts.
    steps: each((uri, payload) => [
      { ask: 'POST', uri, payload },
      { state: 'running', of: 'typed' },
    ]).filter((_, i) => i < 2 || Math.floor(i / 2) % 3 === 0),
  },
  {
    name: 'contracts: result words',
    shows: 'codes and lengths that a handler may and may not give; room in the response buffer',
    types: TYPES,
    modules: [ANSWERS],
    steps: [
      ...RESULTS.flatMap((result): Step[] => [
        { ask: 'POST', uri: '/say/some', payload: le(result), capacity: 200 },
        { state: 'running', of: 'answers' },
      ]),
      ...[0x44, 0x45000000, 0x45000010, 0x45000014].flatMap((result): Step[] => [
        { ask: 'POST', uri: '/say/scalars', payload: le(result) },
        { state: 'running', of: 'answers' },
        { ask: 'POST', uri: '/say/none', payload: le(result) },
        { state: 'running', of: 'answers' },
      ]),
      { ask: 'POST', uri: '/say/scalars', payload: le(0x44), capacity: 15 },
      { ask: 'POST', uri: '/say/some', payload: le(0x44), capacity: 1 },
      { ask: 'POST', uri: '/say/some', payload: le(0x45000006), capacity: 5 },
    ],
  },
  {
    name: 'contracts: callers and rates',
    shows: 'who may call (4.03), how often (4.29), that a refused call takes no token',
    modules: [
      {
        name: 'vault',
        source: { wat: `${IMPORTS} (memory (export "memory") 1) ${handler('fine', `(i32.const ${word(2.04) | 0})`)}` },
        provides: [
          plain('/for/ada', { callers: ['ada'] }),
          plain('/for/all', {}),
          plain('/slow', { rate: '1/s', burst: 3, callers: ['ada'] }),
        ],
      },
      client('ada', '/for/ada'),
      client('bob', '/for/ada'),
      client('eve', '/slow'),
    ],
    steps: [
      ...['/ada', '/bob', '/eve', '/eve', '/eve', '/eve', '/for/all'].map((uri): Step => ({ ask: 'GET', uri })),
      { ask: 'GET', uri: '/for/all', payload: le(1) },
    ],
  },
  {
    name: 'contracts: a bucket of calls',
    shows: 'burst, then 4.29',
    modules: [
      {
        name: 'slow',
        source: { wat: `${IMPORTS} (memory (export "memory") 1) ${handler('fine', `(i32.const ${word(2.04) | 0})`)}` },
        provides: [plain('/slow', { rate: '1/s', burst: 3 })],
      },
    ],
    steps: [
      { ask: 'GET', uri: '/slow' },
      { ask: 'GET', uri: '/slow', payload: le(1) },
      { ask: 'GET', uri: '/slow' },
      { ask: 'GET', uri: '/slow' },
      { ask: 'GET', uri: '/slow' },
    ],
  },
];

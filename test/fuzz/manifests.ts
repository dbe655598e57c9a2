// Damages manifests where it hurts: takes a seed, gives a things.json, or the value a module carries, of which some parts
// are gone, doubled, of another type or at their limits. Knows the form of manifests and nothing of the checks.
import type { Random } from './random.js';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const WHOLE: Json = {
  name: 'app',
  version: '1.2.3',
  board: 'esp32',
  types: {
    sample: {
      type: 'record',
      fields: [
        { name: 'time', type: 'u32' },
        { name: 'celsius', type: 'f32', min: -40, max: 125 },
        { name: 'flags', type: 'bool', count: 3 },
        { name: 'total', type: 'i64', min: -5, max: 5 },
      ],
    },
    samples: { type: 'array', of: 'sample', min: 1, max: 16 },
  },
  modules: [
    {
      name: 'source',
      wasm: 'a.wasm',
      version: '1.0.0',
      memory: { max: 4096 },
      stack: 2048,
      priority: 2,
      restart: { policy: 'on-fault', max: 3, backoff: '20ms' },
      startDeadline: '1s',
      eventDeadline: '2.5ms',
      provides: [
        {
          method: 'GET',
          path: '/sample/{id}',
          handler: 'get',
          observable: true,
          attributes: { rt: 'sample', title: 'x', ct: 42 },
          contract: { response: 'samples', deadline: '500us', rate: '100/s', burst: 2, callers: ['sink'] },
        },
        { method: 'PUT', path: '/text', handler: 'put', contract: { request: { type: 'utf8', min: 1, max: 80 } } },
      ],
      env: { A: 'b' },
      args: ['source', '-v'],
    },
    {
      name: 'sink',
      wasm: 'b.wasm',
      version: '0.1.0',
      requires: [
        { path: '/sample/7', methods: ['GET'], timeout: '2s' },
        { path: '/text', methods: ['PUT', 'GET'], name: 'text' },
        { path: '/dev/*', methods: ['GET', 'PUT'] },
      ],
    },
  ],
  slots: [{ name: 'spare', pages: 2, ram: 8192 }],
  publicKey: 'key.pub.pem',
};

const ODD: readonly Json[] = [
  null,
  true,
  0,
  -1,
  0.5,
  1e300,
  2 ** 31,
  65535,
  65536,
  '',
  'none',
  'sample',
  'samples',
  'constructor',
  '__proto__',
  'sys',
  'source',
  '/',
  '/*',
  '/a/{x}/{x}',
  '/.well-known/core',
  '0us',
  '9999999s',
  '99999/s',
  '999.999.999',
  'x'.repeat(300),
  '\u0000',
  '"\\',
  [],
  {},
  [[]],
  { type: 'record', fields: [] },
  { type: 'array', of: 'samples', max: 3 },
  { type: 'array', of: { type: 'record', fields: [{ name: 'x', type: 'f64', count: 255 }] }, max: 65535 },
  { type: 'bytes', min: 9, max: 8 },
];

/** A whole things.json, most often damaged. */
export function manifestValue(random: Random): Json {
  const value = structuredClone(WHOLE);
  for (let n = random.below(4); n > 0; n--) mutate(value, random);
  return value;
}

/** What a module carries, as the custom section has it. */
export function carriedValue(random: Random): Json {
  const { modules, types } = structuredClone(WHOLE) as { modules: { wasm?: string }[]; types: Json };
  const module = modules[random.below(2)]!;
  delete module.wasm;
  const value: Json = { thingspire: 1, module: module as unknown as Json, types };
  for (let n = random.below(4); n > 0; n--) mutate(value, random);
  return value;
}

/** One change somewhere below. */
function mutate(root: Json, random: Random): void {
  let at = root;
  for (;;) {
    if (typeof at !== 'object' || at === null) return;
    const keys = Object.keys(at);
    if (keys.length === 0) return;
    const key = random.pick(keys);
    const owner = at as Record<string, Json>;
    const inner = owner[key]!;
    if (typeof inner === 'object' && inner !== null && !random.chance(0.3)) {
      at = inner;
      continue;
    }
    switch (random.below(4)) {
      case 0:
        if (Array.isArray(at)) at.splice(Number(key), 1);
        else delete owner[key];
        return;
      case 1:
        if (Array.isArray(at)) at.push(structuredClone(inner));
        else owner[`${key}_`] = structuredClone(inner);
        return;
      default:
        owner[key] = structuredClone(random.pick(ODD));
        return;
    }
  }
}

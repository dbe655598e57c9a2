// The firmware's frames and messages under fire: mutated requests, most with a right check sequence so that they reach the
// parser. FUZZ_FRAMES=100000 for a long run. No fault, no byte outside of the kernel's own tables changed, and the next good
// request is answered.
import { describe, expect, it } from 'vitest';
import { bootDevice, handler, IMPORTS, prepareRuntime, word } from '../os/os-device.js';
import { DeviceLink, frame, type Request } from './device-link.js';

const FRAMES = Number(process.env['FUZZ_FRAMES'] ?? 3000);
const GOOD_EVERY = 100;
const SEED = Number(process.env['FUZZ_SEED'] ?? 1);

/** xorshift32 */
function generator(seed: number): (below: number) => number {
  let state = seed * 2654435761 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const option = (name: string, ...value: number[]): Request['options'] =>
  [{ name, value: Buffer.from(value) }] as unknown as Request['options'];

const SEEDS: readonly Request[] = [
  { uri: '/item/abc?x=1&y=2' },
  { method: 'PUT', uri: '/echo', payload: Buffer.alloc(40, 0xc0) },
  { method: 'PUT', uri: '/echo', payload: Buffer.alloc(900, 0xdb), confirmable: false },
  { uri: '/.well-known/core', options: option('Block2', 0x12) },
  { method: 'PUT', uri: '/echo', payload: Buffer.alloc(16, 1), options: option('Block1', 0x18) },
  { uri: '/value', options: option('Observe') },
  { uri: '/sys/modules/sensor/state', options: option('Block2', 0x26) },
  { uri: '/value', caller: 'somebody@somewhere', options: option('Accept', 42) },
  { method: 'DELETE', uri: '/a/very/long/path/with/many/segments/that/leads/to/nothing/at/all/and/goes/on' },
];

function mutate(message: Uint8Array, random: (below: number) => number): Uint8Array {
  const bytes = [...message];
  for (let n = 1 + random(4); n > 0; n--) {
    const at = random(bytes.length || 1);
    const near = random(Math.min(24, bytes.length || 1));
    switch (random(6)) {
      case 0:
        bytes[near] = random(256);
        break;
      case 1:
        bytes[near] = (bytes[near] ?? 0) ^ (1 << random(8));
        break;
      case 2:
        bytes.splice(near, random(6));
        break;
      case 3:
        bytes.splice(near, 0, ...Array.from({ length: random(20) }, () => random(256)));
        break;
      case 4:
        bytes.length = at;
        break;
      default:
        bytes.push(...Array.from({ length: random(3) === 0 ? random(1400) : random(20) }, () => random(256)));
    }
  }
  return Uint8Array.from(bytes.slice(0, 2000));
}

describe('frames that nobody should send', () => {
  it(`do no harm: ${FRAMES} of them`, { timeout: 60_000 + FRAMES * 20 }, async () => {
    await prepareRuntime();
    const bytes = (max: number): { type: 'bytes'; max: number } => ({ type: 'bytes', max });
    const device = await bootDevice([
      {
        name: 'sensor',
        memory: { max: 4096 },
        wat: `${IMPORTS} (memory (export "memory") 1) (data (i32.const 256) "guarded")
          ${handler('echo', `(memory.copy (local.get $r) (local.get $p) (local.get $n)) (i32.or (i32.const ${word(2.05) | 0}) (local.get $n))`)}
          ${handler('value', `(i32.store (local.get $r) (i32.const 0x676f6f64)) (i32.const ${word(2.05, 4)})`)}`,
        provides: [
          {
            method: 'PUT',
            path: '/echo',
            handler: 'echo',
            contract: { request: bytes(1024), response: bytes(1024), deadline: '5ms' },
          },
          {
            method: 'GET',
            path: '/value',
            handler: 'value',
            observable: true,
            contract: { response: bytes(4), deadline: '1ms' },
          },
          { method: 'GET', path: '/item/{n}', handler: 'value', contract: { response: bytes(4), deadline: '1ms' } },
        ],
      },
    ]);
    const link = new DeviceLink(device);
    const { machine, built } = device;
    // Code, constants, and the RAM of the module: nothing that is received may change them.
    const guarded = [
      ...built.linked.sections.filter(({ kind }) => kind === 'code' || kind === 'rodata' || kind === 'vectors'),
      { address: device.address('sensor$memory0.data'), size: 4096 },
    ].filter(({ size }) => size > 0);
    const contents = (): Buffer[] => guarded.map(({ address, size }) => Buffer.from(machine.readMemory(address, size)));
    const before = contents();
    const random = generator(SEED);
    for (let i = 1; i <= FRAMES; i++) {
      const seed = link.encode({ ...SEEDS[random(SEEDS.length)]!, mid: random(65536) });
      const message = mutate(seed, random);
      const sent = random(4) === 0 ? mutate(frame(seed), random) : frame(message);
      machine.sendConsole(sent);
      const stop = machine.run({ maxCycles: 40_000 + 100 * sent.length });
      if (stop.reason !== 'limit' && stop.reason !== 'halted') throw new Error(`frame ${i}: ${stop.message}`);
      if (i % GOOD_EVERY !== 0) continue;
      link.inbox.length = 0;
      let answer;
      for (let attempt = 0; answer?.code !== '2.05'; attempt++) {
        expect(attempt, `frame ${i}: ${answer?.code}`).toBeLessThan(20);
        answer = link.request({ uri: '/value' }, 10_000);
      }
      expect(answer.payload.toString('latin1')).toBe('doog');
      device.console = '';
      link.restart();
    }
    expect(link.text).not.toMatch(/fault|panic/);
    for (const [i, was] of before.entries()) expect(contents()[i]!.equals(was)).toBe(true);
    for (const name of ['edge0', 'edge1', 'sys', 'dev', 'sensor']) expect(device.module(name).faults).toBe(0);
  });
});

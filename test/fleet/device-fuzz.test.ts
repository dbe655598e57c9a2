// The firmware's frames and messages under fire: mutated requests, notifications, responses and acknowledgements, most with a
// right check sequence so that they reach the parser. FUZZ_FRAMES=100000 for a long run. No fault, no byte outside of the kernel's own tables changed, and the next good
// request is answered.
import { generate, type ParsedPacket } from 'coap-packet';
import { describe, expect, it } from 'vitest';
import { bootDevice, handler, IMPORTS, prepareRuntime, word } from '../os/os-device.js';
import { DeviceLink, frame, type Request } from './device-link.js';
import { xorshift32 } from '../support/random.js';

const FRAMES = Number(process.env['FUZZ_FRAMES'] ?? 3000);
const GOOD_EVERY = 100;
/** Requests of the device that are answered, in whatever way. */
const LATELY = 6;
const SEED = Number(process.env['FUZZ_SEED'] ?? 1);

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
  { method: 'POST', uri: '/far', payload: Buffer.alloc(20, 3) },
  { uri: '/value', caller: 'somebody@somewhere', options: option('Accept', 42) },
  { method: 'DELETE', uri: '/a/very/long/path/with/many/segments/that/leads/to/nothing/at/all/and/goes/on' },
];

/** A notification, a separate or piggybacked response, an acknowledgement or a reset, for a request of the device. */
function response(random: (below: number) => number, { messageId: asked, token }: ParsedPacket): Uint8Array {
  const messageId = random(3) === 0 ? asked : random(65536);
  const codes = ['2.05', '2.05', '2.05', '2.05', '2.05', '2.05', '2.04', '2.31', '5.03', '4.04'];
  const ack = random(3) === 0;
  if (random(6) === 0) return generate({ ack, reset: !ack, messageId, code: '0.00' });
  const uint = (most: number): Buffer => Buffer.from(Array.from({ length: random(most + 1) }, () => random(256)));
  return generate({
    ack,
    confirmable: !ack && random(2) === 0,
    messageId,
    token,
    code: codes[random(codes.length)]!,
    options: [
      ...(random(8) === 0 ? [] : [{ name: 'Observe', value: uint(3) }]),
      ...(random(3) === 0 ? [{ name: 'Max-Age', value: uint(4) }] : []),
      ...(random(8) === 0 ? [{ name: 'Block2', value: uint(3) }] : []),
    ] as never,
    payload: Buffer.alloc(random(4) === 0 ? random(1024) : random(32), random(256)),
  });
}

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

/** Where the module counts what it was told. */
const TOLD = 400;

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
          (data (i32.const 300) "/elsewhere/0")
          (global $turn (mut i32) (i32.const 0))
          (func $follow (param $digit i32)
            (i32.store8 (i32.const 311) (i32.add (i32.const 48) (local.get $digit)))
            (drop (call $observe (i32.const 300) (i32.const 12) (i32.const 512) (i32.const 512))))
          (func (export "on_start") (call $follow (i32.const 0)) (call $follow (i32.const 1)) (call $follow (i32.const 2))
            (drop (call $timer (i32.const 0) (i32.const 20) (i32.const 20))))
          (func (export "on_timer") (param i32)
            (global.set $turn (i32.rem_u (i32.add (global.get $turn) (i32.const 1)) (i32.const 3)))
            (drop (call $unobserve (global.get $turn))) (call $follow (global.get $turn)))
          (func (export "on_notify") (param i32 i32)
            (i32.store (i32.const ${TOLD}) (i32.add (i32.load (i32.const ${TOLD})) (i32.const 1))))
          ${handler('far', `(call $call (i32.const 1) (local.get $p) (local.get $n) (local.get $r) (local.get $c))`)}
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
          {
            method: 'POST',
            path: '/far',
            handler: 'far',
            contract: { request: bytes(256), response: bytes(1024), deadline: '5ms' },
          },
          { method: 'GET', path: '/item/{n}', handler: 'value', contract: { response: bytes(4), deadline: '1ms' } },
        ],
        requires: [
          { path: '/elsewhere/*', methods: ['GET'], external: true },
          { path: '/sink', methods: ['POST'], external: true, timeout: '20ms' },
        ],
      },
    ]);
    const link = new DeviceLink(device);
    const { machine, built } = device;
    const memory = device.address('sensor$memory0.data');
    // Code, constants, and the RAM of the module: nothing that is received may change them.
    const guarded = [
      ...built.linked.sections.filter(({ kind }) => kind === 'code' || kind === 'rodata' || kind === 'vectors'),
      { address: memory, size: 300 },
      { address: memory + 1024, size: 3072 },
    ].filter(({ size }) => size > 0);
    const contents = (): Buffer[] => guarded.map(({ address, size }) => Buffer.from(machine.readMemory(address, size)));
    const before = contents();
    const random = xorshift32(SEED * 2654435761 || 1);
    const asked: ParsedPacket[] = [];
    for (let i = 1; i <= FRAMES; i++) {
      // With other message IDs than the good ones, which would be repetitions otherwise.
      const seed = link.encode({ ...SEEDS[random(SEEDS.length)]!, mid: 0x8000 + random(0x8000) });
      link.collect();
      asked.push(...link.inbox.splice(0).filter(({ code }) => code.startsWith('0.') && code !== '0.00'));
      asked.splice(0, asked.length - LATELY);
      const request = random(3) === 0 ? asked[random(asked.length || 1)] : undefined;
      const answers = request !== undefined;
      const whole = answers ? response(random, request) : seed;
      const message = answers && random(2) === 0 ? whole : mutate(whole, random);
      const sent = random(4) === 0 ? mutate(frame(whole), random) : frame(message);
      machine.sendConsole(sent);
      const stop = machine.run({ maxCycles: 40_000 + 100 * sent.length });
      if (stop.reason !== 'limit' && stop.reason !== 'halted') throw new Error(`frame ${i}: ${stop.message}`);
      if (i % GOOD_EVERY !== 0) continue;
      // What waits for the edge gives its room back: a request that finds none is dropped.
      link.run(50);
      link.inbox.length = 0;
      let answer;
      for (let attempt = 0; answer?.code !== '2.05'; attempt++) {
        expect(attempt, `frame ${i}: ${answer?.code}`).toBeLessThan(20);
        answer = link.request({ uri: '/value' }, 10_000);
      }
      expect(answer.payload.toString('latin1')).toBe('doog');
      // Another edge: what observed the module has left room for others.
      const edge = Buffer.from([i >> 16, i >> 8, i]);
      expect(link.request({ method: 'PUT', uri: '/sys/edge', payload: edge }, 10_000).code).toMatch('2.04');
      device.console = '';
      link.restart();
    }
    expect(link.text).not.toMatch(/fault|panic/);
    // Enough has come through for this to mean something.
    expect(machine.readWord(memory + TOLD)).toBeGreaterThan(FRAMES / 200);
    for (const [i, was] of before.entries()) expect(contents()[i]!.equals(was)).toBe(true);
    for (const name of ['edge0', 'edge1', 'sys', 'dev', 'sensor']) expect(device.module(name).faults).toBe(0);
  });
});

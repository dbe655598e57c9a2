// Many modules of all priorities that ask the edge at once, directly and through another module, while the edge calls them; it
// answers early, late or never. Every answer belongs to its question, and nothing is left in the kernel's tables afterwards.
import { generate } from 'coap-packet';
import { describe, expect, it } from 'vitest';
import { bootDevice, handler, IMPORTS, prepareRuntime, word, type ModuleText } from '../os/os-device.js';
import { violations } from '../os/preempt/invariants.js';
import { DeviceLink } from './device-link.js';
import { xorshift32 } from '../support/random.js';

const MILLISECONDS = Number(process.env['WAITS_MS'] ?? 4000);
const SEED = Number(process.env['WAITS_SEED'] ?? 1);
const PRIORITIES = [0, 1, 2, 3] as const;
const ANSWERED = 200;
const WRONG = 204;
const bytes = (max: number): { type: 'bytes'; max: number } => ({ type: 'bytes', max });
const far = { path: '/far', methods: ['PUT'], external: true, timeout: '40ms' } as const;

/** Asks by a timer, by turns itself and through `helper`; each question is a number that the answer has to be. */
const asker = (priority: number): ModuleText => ({
  name: `asker${priority}`,
  priority,
  eventDeadline: '20ms',
  memory: { max: 1024 },
  wat: `${IMPORTS} (memory (export "memory") 1)
    (global $turn (mut i32) (i32.const ${priority << 24}))
    (func (export "on_start") (drop (call $timer (i32.const 0) (i32.const 5) (i32.const ${7 + 4 * priority}))))
    (func (export "on_timer") (param i32) (local $result i32)
      (global.set $turn (i32.add (global.get $turn) (i32.const 1)))
      (i32.store (i32.const 0) (global.get $turn))
      (i32.store (i32.const 4) (i32.xor (global.get $turn) (i32.const -1)))
      (i64.store (i32.const 16) (i64.const 0))
      (local.set $result
        (call $call (i32.and (global.get $turn) (i32.const 1)) (i32.const 0) (i32.const 8) (i32.const 16) (i32.const 8)))
      (if (i32.ne (local.get $result) (i32.const ${word(2.05, 8)})) (then (return)))
      (if (i64.eq (i64.load (i32.const 0)) (i64.load (i32.const 16)))
        (then (i32.store (i32.const ${ANSWERED}) (i32.add (i32.load (i32.const ${ANSWERED})) (i32.const 1))))
        (else (i32.store (i32.const ${WRONG}) (i32.add (i32.load (i32.const ${WRONG})) (i32.const 1))))))
    ${handler(
      'echo',
      `(local $i i32) (memory.copy (local.get $r) (local.get $p) (local.get $n))
      (loop $l (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 5000))))
      (i32.or (i32.const ${word(2.05) | 0}) (local.get $n))`,
    )}
    ${handler('stop', `(drop (call $timer (i32.const 0) (i32.const 0) (i32.const 0))) (i32.const ${word(2.04)})`)}`,
  provides: [
    {
      method: 'PUT',
      path: `/echo${priority}`,
      handler: 'echo',
      contract: { request: bytes(64), response: bytes(64), deadline: '20ms' },
    },
    { method: 'PUT', path: `/stop${priority}`, handler: 'stop', contract: { deadline: '1ms' } },
  ],
  requires: [{ path: '/help', methods: ['PUT'] }, far],
});
const helper: ModuleText = {
  name: 'helper',
  memory: { max: 1024 },
  wat: `${IMPORTS} (memory (export "memory") 1)
    ${handler('help', `(call $call (i32.const 0) (local.get $p) (local.get $n) (local.get $r) (local.get $c))`)}`,
  provides: [
    {
      method: 'PUT',
      path: '/help',
      handler: 'help',
      contract: { request: bytes(8), response: bytes(8), deadline: '5ms' },
    },
  ],
  requires: [far],
};

describe('chains that wait', () => {
  it('go on in any order, each with its own answer', { timeout: 120_000 }, async () => {
    await prepareRuntime();
    const device = await bootDevice([...PRIORITIES.map(asker), helper]);
    const link = new DeviceLink(device);
    const random = xorshift32(SEED * 2654435761);
    const answers: { at: number; message: Buffer }[] = [];
    const counts = { asked: 0, echoed: 0, busy: 0 };
    const seen = new Set<number>();
    const stopped = new Set<string>();
    const turn = (time: number): void => {
      link.run(1);
      for (const { code, messageId, token, payload } of link.inbox.splice(0)) {
        if (code === '2.05') counts.echoed++;
        if (code === '5.03') counts.busy++;
        if (code === '2.04') stopped.add(token.toString());
        if (code !== '0.03' || seen.has(messageId)) continue;
        seen.add(messageId);
        counts.asked++;
        if (random(8) === 0) continue;
        const message = generate({ ack: true, messageId, token, code: '2.05', payload });
        answers.push({ at: time + random(random(3) === 0 ? 60 : 8), message });
      }
      for (const due of answers.filter(({ at }) => at <= time)) {
        link.send(due.message);
        answers.splice(answers.indexOf(due), 1);
      }
    };
    for (let time = 0; time < MILLISECONDS; time++) {
      if (random(3) === 0)
        link.send(link.encode({ method: 'PUT', uri: `/echo${random(4)}`, payload: Buffer.alloc(random(64), time) }));
      turn(time);
    }
    let last = MILLISECONDS;
    for (; stopped.size < PRIORITIES.length && last < 10 * MILLISECONDS; last++) {
      const priority = PRIORITIES[last % PRIORITIES.length]!;
      link.send(link.encode({ method: 'PUT', uri: `/stop${priority}`, token: Buffer.from(`stop${priority}`) }));
      turn(last);
    }
    expect(stopped.size).toBe(PRIORITIES.length);
    link.run(1000);
    device.settle();
    expect(violations(device, true)).toEqual([]);
    for (const priority of PRIORITIES) {
      const memory = device.address(`asker${priority}$memory0.data`);
      expect(device.machine.readWord(memory + WRONG)).toBe(0);
      expect(device.machine.readWord(memory + ANSWERED)).toBeGreaterThan(MILLISECONDS / 500);
      expect(device.module(`asker${priority}`).faults).toBe(0);
      const payload = Buffer.from(`still here ${priority}`);
      expect(link.request({ method: 'PUT', uri: `/echo${priority}`, payload }).payload.equals(payload)).toBe(true);
    }
    expect(counts.asked).toBeGreaterThan(MILLISECONDS / 20);
    expect(counts.echoed).toBeGreaterThan(MILLISECONDS / 20);
    expect(link.text).toBe('');
  });
});

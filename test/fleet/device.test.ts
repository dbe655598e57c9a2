// Remote IMC as the edge sees it, on the simulated device: requests, contracts, separate responses, Observe, Block-wise, calls
// of modules to the edge, a bad line. The oracle for messages is coap-packet.
import { generate, type ParsedPacket } from 'coap-packet';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildDevice, handler, IMPORTS, OsDevice, prepareRuntime, word, type BuiltDevice } from '../os/os-device.js';
import { CALLER_OPTION, DeviceLink, frame, optionOf, type Request } from './device-link.js';

const bytes = (max: number): { type: 'bytes'; max: number } => ({ type: 'bytes', max });
const PATH = { value: 64, slow: 96 } as const;

/** Counts what it does, echoes, takes its time, asks the edge. */
const sensor = `${IMPORTS} (memory (export "memory") 1)
  (global $count (mut i32) (i32.const 0))
  (data (i32.const ${PATH.value}) "/value") (data (i32.const ${PATH.slow}) "//other/far/away?x=1")
  ${handler('echo', `(memory.copy (local.get $r) (local.get $p) (local.get $n)) (i32.or (i32.const ${word(2.05) | 0}) (local.get $n))`)}
  ${handler(
    'count',
    `(global.set $count (i32.add (global.get $count) (i32.const 1)))
    (drop (call $notify (i32.const ${PATH.value}) (i32.const 6)))
    (i32.store (local.get $r) (global.get $count)) (i32.const ${word(2.04, 4)})`,
  )}
  ${handler('value', `(i32.store (local.get $r) (global.get $count)) (i32.const ${word(2.05, 4)})`)}
  ${handler('slow', `(loop $l (br_if $l (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 4000000)))) (i32.const ${word(2.05)})`)}
  ${handler('who', `(i32.or (i32.const ${word(2.05) | 0}) (call $caller (local.get $r) (local.get $c)))`)}
  ${handler(
    'item',
    `(local.set $n (call $parameter (i32.const 0) (local.get $r) (i32.const 8)))
    (i32.or (i32.const ${word(2.05) | 0}) (i32.add (local.get $n)
      (call $query (i32.const ${PATH.slow + 17}) (i32.const 1) (i32.add (local.get $r) (local.get $n)) (i32.const 8))))`,
  )}
  ${handler('trap', 'unreachable')}
  ${handler('log', `(call $log (local.get $p) (local.get $n)) (i32.const ${word(2.04)})`)}
  ${handler(
    'far',
    `(i32.store (local.get $r) (call $request (i32.const 1) (i32.const ${PATH.slow}) (i32.const 20)
      (i32.const 0) (i32.const 0) (i32.add (local.get $r) (i32.const 4)) (i32.const 16))) (i32.const ${word(2.05, 20)})`,
  )}
  ${handler('put_far', `(i32.store (local.get $r) (call $call (i32.const 1) (i32.const 0) (i32.const 700) (i32.const 2048) (i32.const 16))) (i32.const ${word(2.05, 4)})`)}`;

let built: BuiltDevice;
beforeAll(async () => {
  await prepareRuntime();
  const get = (name: string, max: number, deadline = '1ms') => ({
    method: 'GET' as const,
    path: `/${name}`,
    handler: name,
    contract: { response: bytes(max), deadline },
  });
  built = await buildDevice([
    {
      name: 'sensor',
      wat: sensor,
      memory: { max: 8192 },
      provides: [
        {
          method: 'PUT',
          path: '/echo',
          handler: 'echo',
          contract: { request: bytes(1024), response: bytes(1024), deadline: '5ms' },
        },
        { method: 'POST', path: '/count', handler: 'count', contract: { response: bytes(4), deadline: '1ms' } },
        { ...get('value', 4), observable: true },
        get('slow', 4, '2s'),
        get('who', 32),
        { ...get('item', 32), path: '/item/{name}' },
        {
          ...get('who', 32),
          path: '/private',
          contract: {
            response: bytes(32),
            deadline: '1ms',
            callers: ['second', 'console@porch', 'user:anna', 'user:bob'],
          },
        },
        {
          ...get('who', 32),
          path: '/users',
          contract: { response: bytes(32), deadline: '1ms', callers: ['user:*'] },
        },
        get('trap', 4),
        { method: 'POST', path: '/log', handler: 'log', contract: { request: bytes(256), deadline: '50ms' } },
        get('far', 32),
        get('put_far', 200),
      ],
      requires: [
        { path: '//other/far/*', methods: ['GET'], timeout: '300ms' },
        { path: '/sink', methods: ['PUT'], external: true, timeout: '300ms' },
      ],
      restart: { policy: 'on-fault', backoff: '1ms' },
    },
    {
      name: 'second',
      provides: [{ method: 'GET', path: '/second', handler: 'get', contract: { deadline: '1ms' } }],
      wat: `${IMPORTS} (memory (export "memory") 1) ${handler('get', `(i32.const ${word(2.05)})`)}`,
    },
  ]);
}, 120_000);

let device: OsDevice;
let link: DeviceLink;
beforeEach(() => {
  device = new OsDevice(built).settle();
  link = new DeviceLink(device);
});

const blockValue = (number: number): Buffer =>
  number === 0 ? Buffer.alloc(0) : number < 256 ? Buffer.from([number]) : Buffer.from([number >> 8, number & 255]);
const option = (name: string, value: number | Buffer): Request['options'] =>
  [{ name, value: typeof value === 'number' ? blockValue(value) : value }] as unknown as Request['options'];
const isRequest = ({ code }: ParsedPacket): boolean => code.startsWith('0.') && code !== '0.00';

describe('requests', () => {
  it('reach services, with parameters, query and payload', () => {
    for (const n of [0, 1, 12, 13, 64, 65, 300, 1024]) {
      const payload = Buffer.from(Array.from({ length: n }, (_, i) => (i * 7 + 0xb0) & 255));
      const answer = link.request({ method: 'PUT', uri: '/echo', payload });
      expect(answer.code).toBe('2.05');
      expect(answer.ack).toBe(true);
      expect(answer.payload.equals(payload)).toBe(true);
    }
    expect(link.request({ uri: '/item/abc?x=yz' }).payload.toString()).toBe('abcyz');
    expect(link.request({ uri: '/second', confirmable: false })).toMatchObject({
      code: '2.05',
      confirmable: false,
      ack: false,
    });
    expect(link.broken).toBe(0);
  });
  it('are refused with the codes of local ones', () => {
    expect(link.request({ uri: '/nothing' }).code).toBe('4.04');
    expect(link.request({ method: 'DELETE', uri: '/value' }).code).toBe('4.05');
    expect(link.request({ uri: '/value', payload: 'x' }).code).toBe('4.13');
    expect(link.request({ uri: '/trap' }).code).toBe('5.00');
    expect(link.request({ uri: '/trap' }).code).toBe('5.03');
    expect(link.request({ uri: '/value', options: option('If-None-Match', 0) }).code).toBe('4.02');
    expect(link.request({ uri: '/.well-known/core', options: option('Accept', Buffer.from([50])) }).code).toBe('4.06');
    expect(link.request({ uri: '/item/a%2Fb'.replace('%2F', '?') }).code).toBe('2.05');
  });
  it('come from who the edge says', () => {
    const allowed: Record<string, readonly string[]> = {
      private: ['second', 'console@porch', 'user:anna', 'user:bob'],
      users: ['user:anna', 'user:bob', 'user:eve'],
    };
    const callers = [undefined, 'stranger', 'second', 'second@elsewhere', 'console', 'console@porch', 'console@porch2'];
    callers.push('user:anna', 'user:bob', 'user:eve', 'user:', 'users', 'user', 'user:eve@porch', 'user:*');
    // Again and again, in another order: what is known of a request says nothing of another one.
    for (let i = 0; i < 60; i++) {
      const caller = callers[(i * 7) % callers.length];
      for (const [path, who] of Object.entries(allowed)) {
        const answer = link.request({ uri: `/${path}`, ...(caller === undefined ? {} : { caller }) });
        const wanted = who.includes(caller ?? '') ? '2.05' : '4.03';
        expect(`${path} ${caller}: ${answer.code}`).toBe(`${path} ${caller}: ${wanted}`);
        if (answer.code === '2.05') expect(answer.payload.toString()).toBe(caller);
      }
    }
    expect(link.request({ uri: '/who', caller: 'display@hall' }).payload.toString()).toBe('display@hall');
  });
  it('are known again, whatever else they bring', () => {
    for (let i = 0; i < 40; i++) {
      const payload = Buffer.alloc((i * 5) % 70, i);
      const token = Buffer.alloc(i % 9, i);
      const answer = link.request({ method: 'PUT', uri: '/echo', payload, token });
      expect(answer).toMatchObject({ code: '2.05', token, payload });
      expect(link.request({ uri: `/echo` }).code).toBe('4.05');
      expect(link.request({ method: 'PUT', uri: `/echo?x=${i}`, payload }).payload.equals(payload)).toBe(true);
      expect(link.request({ uri: `/item/${i % 3}?x=` }).payload.toString()).toBe(`${i % 3}`);
    }
    // A payload marker without payload; a module that has been stopped.
    link.send(Buffer.concat([link.encode({ uri: '/value', mid: 77, token: Buffer.alloc(2) }), Buffer.from([0xff])]));
    link.run(2);
    expect(link.take(({ messageId }) => messageId === 77)).toMatchObject({ reset: true });
    expect(link.request({ method: 'PUT', uri: '/sys/modules/sensor', payload: 'stop' }).code).toBe('2.04');
    expect(link.request({ method: 'PUT', uri: '/echo' }).code).toBe('5.03');
  });
  it('are run once, however often they come', () => {
    const request = { method: 'POST', uri: '/count', mid: 7 } as const;
    for (let i = 0; i < 5; i++) expect(link.request(request).payload.readUInt32LE()).toBe(1);
    const large = { method: 'PUT', uri: '/echo', payload: Buffer.alloc(500, 1), mid: 9 } as const;
    expect(link.request(large).payload.length).toBe(500);
    expect(link.request({ method: 'PUT', uri: '/echo', payload: Buffer.alloc(400, 2) }).payload.length).toBe(400);
    // Its answer is no more: not run again, and said so.
    expect(link.request(large).code).toBe('5.00');
  });
  it('are answered later if they take long', () => {
    link.send(link.encode({ uri: '/slow', mid: 33 }));
    link.run(210);
    expect(link.inbox).toMatchObject([{ code: '0.00', ack: true, messageId: 33 }]);
    link.send(link.encode({ uri: '/slow', mid: 33 }));
    link.inbox.length = 0;
    link.run(1200);
    const answer = link.take(({ code }) => code === '2.05')!;
    expect(answer).toMatchObject({ confirmable: true });
    // Until it is acknowledged it comes again, as the same message.
    link.run(1500);
    expect(link.take(({ code }) => code === '2.05')?.messageId).toBe(answer.messageId);
    link.acknowledge(answer);
    link.inbox.length = 0;
    link.run(5000);
    expect(link.inbox).toEqual([]);
  });
  it('many at once are all answered', () => {
    for (let round = 0; round < 10; round++) {
      for (let i = 0; i < 4; i++) link.send(link.encode({ method: 'POST', uri: '/count', mid: 1000 + 4 * round + i }));
      link.run(5);
    }
    const counts = link.inbox.map(({ payload }) => payload.readUInt32LE());
    expect(counts).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
  });
  it('leave the console text whole', () => {
    for (let i = 0; i < 20; i++) {
      link.send(link.encode({ method: 'POST', uri: '/log', payload: Buffer.from(`Grüße à ${i} ©é`) }));
      link.send(link.encode({ uri: '/value' }));
      link.run(2);
    }
    expect(link.text).toBe(Array.from({ length: 20 }, (_, i) => `[sensor] Grüße à ${i} ©é\n`).join(''));
    expect(link.inbox.length).toBe(40);
    // A byte that would end a frame is escaped in text.
    link.request({ method: 'POST', uri: '/log', payload: Buffer.from([0xc0, 0xa9, 0x41]) });
    expect(link.broken).toBe(0);
    expect(link.text.endsWith('A\n')).toBe(true);
  });
});

describe('Block-wise', () => {
  const whole = (uri: string, szx: number): Buffer => {
    const parts: Buffer[] = [];
    for (let number = 0; ; number++) {
      const answer = link.request({ uri, options: option('Block2', (number << 4) | szx) });
      expect(answer.code).toBe('2.05');
      parts.push(answer.payload);
      const block = optionOf(answer, 'Block2');
      if (block === undefined || block.length === 0 || (block[block.length - 1]! & 8) === 0)
        return Buffer.concat(parts);
    }
  };
  const send = (uri: string, data: Buffer, szx: number): ParsedPacket => {
    const size = 16 << szx;
    for (let number = 0; ; number++) {
      const more = (number + 1) * size < data.length;
      const payload = data.subarray(number * size, (number + 1) * size);
      const options = option('Block1', (number << 4) | (more ? 8 : 0) | szx);
      const answer = link.request({ method: 'PUT', uri, payload, options });
      if (answer.code !== '2.31') return answer;
      expect(more).toBe(true);
    }
  };
  it('gives lists the same in blocks of all sizes', () => {
    const list = link.request({ uri: '/.well-known/core' }).payload;
    expect(list.toString()).toContain('</value>;obs');
    for (let szx = 0; szx <= 6; szx++) expect(whole('/.well-known/core', szx).equals(list)).toBe(true);
    expect(whole('/sys/modules', 2).equals(whole('/sys/modules', 6))).toBe(true);
  });
  it('puts a payload together for the service, and cuts its answer', () => {
    const data = Buffer.from(Array.from({ length: 700 }, (_, i) => (i * 13) & 255));
    expect(send('/echo', data, 4).payload.equals(data)).toBe(true);
    const tooLong = send('/echo', Buffer.alloc(1040), 4);
    expect(tooLong.code).toBe('4.13');
    expect(optionOf(tooLong, 'Size1')?.readUInt16BE()).toBe(1024);
    const options = option('Block1', (3 << 4) | 2);
    expect(link.request({ method: 'PUT', uri: '/log', payload: 'abc', options }).code).not.toBe('2.04');
  });
  it('carries the state of a stopped module out and in again', () => {
    const count = (): number => link.request({ method: 'POST', uri: '/count' }).payload.readUInt32LE();
    const control = (verb: string): string =>
      link.request({ method: 'PUT', uri: '/sys/modules/sensor', payload: verb }).code;
    expect([count(), count()]).toEqual([1, 2]);
    // As it is while it runs; of a stopped one it stays so.
    expect(link.request({ uri: '/sys/modules/sensor/state' }).code).toBe('2.05');
    expect(control('stop')).toBe('2.04');
    expect(link.request({ method: 'POST', uri: '/count' }).code).toBe('5.03');
    const state = whole('/sys/modules/sensor/state', 6);
    expect(state.length).toBeGreaterThan(8192);
    expect(control('resume')).toBe('2.04');
    expect(count()).toBe(3);
    expect(control('restart')).toBe('2.04');
    link.run(5);
    expect(count()).toBe(1);
    expect(control('stop')).toBe('2.04');
    // Half a state is none.
    const first = { method: 'PUT', uri: '/sys/modules/sensor/state', payload: state.subarray(0, 1024) } as const;
    expect(link.request({ ...first, options: option('Block1', 8 | 6) }).code).toBe('2.31');
    expect(control('resume')).toBe('4.09');
    expect(send('/sys/modules/sensor/state', state, 6).code).toBe('2.04');
    expect(control('resume')).toBe('2.04');
    expect(count()).toBe(3);
  });
});

describe('Observe', () => {
  const token = Buffer.from('obs');
  it('tells of every change until it is cancelled', () => {
    const first = link.request({ uri: '/value', token, options: option('Observe', 0) });
    expect(optionOf(first, 'Observe')).toBeDefined();
    let last = 0;
    for (let i = 1; i <= 5; i++) {
      link.request({ method: 'POST', uri: '/count' });
      const told = link.take((packet) => packet.token.equals(token))!;
      expect(told.payload.readUInt32LE()).toBe(i);
      expect(told.confirmable).toBe(true);
      const sequence = optionOf(told, 'Observe')!.readUIntBE(0, 1);
      expect(sequence).toBeGreaterThan(last);
      last = sequence;
      link.acknowledge(told);
      link.run(1);
    }
    link.request({ uri: '/value', token, options: option('Observe', 1) });
    link.request({ method: 'POST', uri: '/count' });
    link.run(20);
    expect(link.inbox).toEqual([]);
  });
  it('ends with a reset, and when nobody acknowledges', () => {
    link.request({ uri: '/value', token, options: option('Observe', 0) });
    link.request({ method: 'POST', uri: '/count' });
    link.acknowledge(
      link.take((packet) => packet.token.equals(token))!,
      true,
    );
    link.run(1);
    link.request({ method: 'POST', uri: '/count' });
    link.run(2);
    expect(link.inbox).toEqual([]);
    link.request({ uri: '/value', token, options: option('Observe', 0) });
    link.request({ method: 'POST', uri: '/count' });
    link.run(30_000);
    expect(link.inbox.length).toBe(5);
    link.inbox.length = 0;
    link.request({ method: 'POST', uri: '/count' });
    link.run(20);
    expect(link.inbox).toEqual([]);
  });
  it('gives the newest state instead of one that was not acknowledged', () => {
    link.request({ uri: '/value', token, options: option('Observe', 0) });
    for (let i = 0; i < 3; i++) link.request({ method: 'POST', uri: '/count' });
    link.inbox.length = 0;
    link.run(1000);
    expect(link.inbox.map(({ payload }) => payload.readUInt32LE())).toEqual([3]);
  });
  it('says how modules fare', () => {
    link.request({ uri: '/sys/modules', token, options: option('Observe', 0) });
    link.request({ uri: '/trap' });
    link.run(10);
    expect(link.inbox.filter((packet) => packet.token.equals(token)).length).toBeGreaterThan(0);
  });
});

describe('a module’s request to the edge', () => {
  const answerTo = ({ messageId, token }: ParsedPacket, code: string, payload = ''): Buffer =>
    generate({ ack: true, messageId, token, code, payload: Buffer.from(payload) });
  const ask = (uri: string): ParsedPacket => {
    link.request({ uri: '/second' });
    link.send(link.encode({ uri, token: Buffer.from('me') }));
    link.run(5);
    return link.take(isRequest)!;
  };
  it('waits while others run, and gets its answer', () => {
    const request = ask('/far');
    expect(request).toMatchObject({ code: '0.01', confirmable: true });
    expect(request.options.map(({ name, value }) => `${String(name)}=${String(value)}`)).toEqual([
      'Uri-Host=other',
      'Uri-Path=far',
      'Uri-Path=away',
      'Uri-Query=x=1',
      `${CALLER_OPTION}=sensor`,
    ]);
    expect(link.request({ uri: '/second' }).code).toBe('2.05');
    expect(link.request({ uri: '/value' }).code).toBe('5.03');
    link.send(answerTo(request, '2.05', 'far away'));
    link.run(5);
    const answer = link.take(({ token }) => token.toString() === 'me')!;
    expect(answer.payload.readUInt32LE()).toBe(word(2.05, 8));
    expect(answer.payload.subarray(4, 12).toString()).toBe('far away');
    expect(link.request({ uri: '/value' }).code).toBe('2.05');
  });
  it('sends its payload, repeats it until it is acknowledged, takes a separate response', () => {
    const request = ask('/put_far');
    expect(request).toMatchObject({ code: '0.03' });
    expect(request.payload.length).toBe(700);
    link.run(200);
    link.inbox.length = 0;
    link.send(generate({ ack: true, messageId: request.messageId, code: '0.00' }));
    link.run(20);
    link.send(generate({ confirmable: true, messageId: 77, token: request.token, code: '2.04' }));
    link.run(5);
    expect(link.take(({ messageId }) => messageId === 77)).toMatchObject({ ack: true, code: '0.00' });
    expect(link.take(({ token }) => token.toString() === 'me')?.payload.readUInt32LE()).toBe(word(2.04));
  });
  it('ends with 5.04 when no answer comes, and nothing of it stays', () => {
    for (let i = 0; i < 6; i++) {
      ask('/put_far');
      link.run(310);
      const answer = link.take(({ token }) => token.toString() === 'me')!;
      expect(answer.payload.readUInt32LE()).toBe(word(5.04));
      link.acknowledge(answer);
      link.inbox.length = 0;
    }
    expect(link.request({ uri: '/value' }).code).toBe('2.05');
  });
  it('keeps what it needs: others are told to come again', () => {
    const request = ask('/put_far');
    const refused = link.request({ method: 'PUT', uri: '/echo', payload: Buffer.alloc(100) });
    expect(refused.code).toBe('5.03');
    expect(optionOf(refused, 'Max-Age')?.[0]).toBe(1);
    link.send(answerTo(request, '2.04'));
    link.run(5);
    expect(link.request({ method: 'PUT', uri: '/echo', payload: Buffer.alloc(100) }).code).toBe('2.05');
  });
  it('ends when its module is stopped', () => {
    ask('/put_far');
    expect(link.request({ method: 'PUT', uri: '/sys/modules/sensor', payload: 'restart' }).code).toBe('2.04');
    link.run(20);
    expect(link.request({ uri: '/value' }).code).toBe('2.05');
  });
});

describe('a chain that waits and has preempted another', () => {
  const spin = `(loop $l (br_if $l (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 1000000))))`;
  const sink = { path: '/sink', methods: ['PUT'], external: true, timeout: '300ms' } as const;
  /** `high` asks the edge in a timer event, by `middle` if `by` says so; `low` is in the middle of a call then. */
  const build = (by: 'itself' | 'middle'): Promise<BuiltDevice> =>
    buildDevice([
      {
        name: 'low',
        wat: `${IMPORTS} (memory (export "memory") 1)
          ${handler('spin', `${spin} (i32.const ${word(2.05)})`)} ${handler('spins', `${spin} (local.set $n (i32.const 0)) ${spin} (i32.const ${word(2.05)})`)}`,
        provides: ['spin', 'spins'].map((name) => ({
          method: 'GET' as const,
          path: `/${name}`,
          handler: name,
          contract: { response: bytes(4), deadline: '900ms' },
        })),
      },
      {
        name: 'middle',
        wat: `${IMPORTS} (memory (export "memory") 1)
          ${handler('ask', `(call $call (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))`)}`,
        provides: [{ method: 'PUT', path: '/ask', handler: 'ask', contract: { request: bytes(4), deadline: '1ms' } }],
        requires: [sink],
      },
      {
        name: 'high',
        priority: 2,
        eventDeadline: '2ms',
        wat: `${IMPORTS} (memory (export "memory") 1) (data (i32.const 0) "answered") (data (i32.const 16) "too late")
          (func (export "on_start") (drop (call $timer (i32.const 0) (i32.const 40) (i32.const 0))))
          (func (export "on_timer") (param i32)
            (call $log (select (i32.const 0) (i32.const 16)
              (i32.eq (call $call (i32.const 0) (i32.const 0) (i32.const ${by === 'middle' ? 4 : 0}) (i32.const 0) (i32.const 0)) (i32.const ${word(2.04)}))) (i32.const 8)))`,
        requires: by === 'middle' ? [{ path: '/ask', methods: ['PUT'] }] : [sink],
      },
    ]);
  const start = (two: BuiltDevice, path: string): ParsedPacket => {
    device = new OsDevice(two).settle();
    link = new DeviceLink(device);
    link.request({ uri: '/nothing' });
    link.send(link.encode({ uri: path, token: Buffer.from('spin') }));
    link.run(60);
    expect(link.text).toBe('');
    return link.take(isRequest)!;
  };
  const ended = ({ token, code }: ParsedPacket): boolean => token.toString() === 'spin' && code === '2.05';
  const runUntil = (done: () => boolean): void => {
    for (let time = 0; time < 600 && !done(); time++) link.run(1);
    expect(done()).toBe(true);
  };
  const answer = ({ messageId, token }: ParsedPacket): void =>
    link.send(generate({ ack: true, messageId, token, code: '2.04' }));
  const noFaults = (): void =>
    expect(['high', 'middle', 'low'].map((name) => device.module(name).faults)).toEqual([0, 0, 0]);

  it('lets it go on, and comes back before it', async () => {
    const two = await build('itself');
    let request = start(two, '/spin');
    // The call that was preempted ends, and others are served, while the answer is waited for.
    runUntil(() => link.inbox.some(ended));
    expect(link.text).toBe('');
    expect(link.request({ uri: '/sys/modules' }).code).toBe('2.05');
    answer(request);
    link.run(2);
    expect(link.text).toBe('[high] answered\n');
    noFaults();
    // An answer that comes in the middle of it is taken at once.
    request = start(two, '/spins');
    link.run(20);
    answer(request);
    link.run(2);
    expect(link.text).toBe('[high] answered\n');
    expect(link.inbox.some(ended)).toBe(false);
    runUntil(() => link.inbox.some(ended));
    noFaults();
    // And none at all.
    start(two, '/spins');
    runUntil(() => link.text === '[high] too late\n');
    runUntil(() => link.inbox.some(ended));
    noFaults();
  });
  it('sleeps in place if it holds grants, beyond its own deadline, and both go on', async () => {
    const two = await build('middle');
    for (const answered of [true, false]) {
      const request = start(two, '/spin');
      link.run(20);
      if (answered) answer(request);
      runUntil(() => link.text !== '');
      expect(link.text).toBe(answered ? '[high] answered\n' : '[high] too late\n');
      expect(link.inbox.some(ended)).toBe(false);
      runUntil(() => link.inbox.some(ended));
      noFaults();
    }
  });
});

describe('a line of 115200 baud', () => {
  it('takes the time that its bytes take, and text waits for nobody', () => {
    device = new OsDevice(built, { uartTiming: 'wire' }).settle();
    link = new DeviceLink(device);
    const payload = Buffer.from(Array.from({ length: 1000 }, (_, i) => (i * 7) & 255));
    const begin = device.machine.cycles;
    const answer = link.request({ method: 'PUT', uri: '/echo', payload }, 400);
    expect(answer.payload.equals(payload)).toBe(true);
    const milliseconds = (device.machine.cycles - begin) / 40_000;
    expect(milliseconds).toBeGreaterThan(2020 * 0.0868);
    expect(milliseconds).toBeLessThan(2020 * 0.0868 + 5);
    for (let i = 0; i < 3; i++) link.send(link.encode({ method: 'POST', uri: '/log', payload: 'x'.repeat(200) }));
    link.send(link.encode({ method: 'POST', uri: '/count', mid: 99 }));
    // The handlers do not wait for the line: 512 bytes of text are kept.
    link.run(100);
    expect(link.take(({ messageId }) => messageId === 99)?.payload.readUInt32LE()).toBe(1);
    link.run(100);
    expect(link.text).toBe(`[sensor] ${'x'.repeat(200)}\n`.repeat(3));
    expect(link.broken).toBe(0);
  });
});

describe('a line of 921600 baud', () => {
  it('takes an eighth of the time, and loses nothing', async () => {
    const fast = await buildDevice(
      [
        {
          name: 'echo',
          memory: { max: 8192 },
          wat: `${IMPORTS} (memory (export "memory") 1)
            ${handler('echo', `(memory.copy (local.get $r) (local.get $p) (local.get $n)) (i32.or (i32.const ${word(2.05) | 0}) (local.get $n))`)}`,
          provides: [
            {
              method: 'PUT',
              path: '/echo',
              handler: 'echo',
              contract: { request: bytes(1024), response: bytes(1024), deadline: '5ms' },
            },
          ],
        },
      ],
      { console: { baud: 921600 } },
    );
    device = new OsDevice(fast, { uartTiming: 'wire' }).settle();
    link = new DeviceLink(device);
    const payload = Buffer.from(Array.from({ length: 1000 }, (_, i) => (i * 7) & 255));
    const begin = device.machine.cycles;
    for (let i = 1; i <= 5; i++) {
      expect(link.request({ method: 'PUT', uri: '/echo', payload }).payload.equals(payload)).toBe(true);
      expect((device.machine.cycles - begin) / 40_000).toBeLessThan(i * (2040 * 0.01085 + 5));
    }
    expect(link.broken).toBe(0);
  });
});

describe('a bad line', () => {
  it('loses, repeats, changes and mixes frames; every call is run once and answered', () => {
    let seed = 12345;
    const random = (): number => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff;
    const late: Uint8Array[] = [];
    link.toDevice = (bytes) => {
      const dice = random();
      if (dice < 0.1) return new Uint8Array(0);
      if (dice < 0.2) return Uint8Array.from([...bytes, ...bytes]);
      if (dice < 0.3) return bytes.map((byte) => (random() < 0.05 ? byte ^ (1 << Math.floor(random() * 8)) : byte));
      if (dice < 0.4) {
        late.push(bytes);
        return new Uint8Array(0);
      }
      return Uint8Array.from([...bytes, ...(late.length > 2 ? late.shift()! : [])]);
    };
    link.fromDevice = () => random() > 0.1;
    for (let call = 1; call <= 150; call++) {
      const message = link.encode({ method: 'POST', uri: '/count', mid: 2000 + call });
      let answer: ParsedPacket | undefined;
      for (let attempt = 0; answer === undefined; attempt++) {
        expect(attempt).toBeLessThan(40);
        link.send(message);
        link.run(3);
        answer = link.take(({ code, messageId }) => code === '2.04' && messageId === 2000 + call);
        link.inbox.length = 0;
      }
      expect(answer.payload.readUInt32LE()).toBe(call);
    }
  });
  it('is nothing that the device cannot go on from', () => {
    device.machine.sendConsole(Uint8Array.from([0xc0, 0xa9, 1, 2, 3]));
    link.run(2);
    device.machine.sendConsole(Uint8Array.from([0xc0, 0xa9, ...new Array<number>(3000).fill(0x55), 0xc0]));
    link.run(2);
    device.machine.sendConsole(frame(Uint8Array.from([0x40])));
    device.machine.sendConsole(Uint8Array.from([0xdb, 0xc0, 0xdb, 0xdb, 0xc0, 0xc0]));
    link.run(2);
    expect(link.request({ uri: '/value' }).code).toBe('2.05');
    // A ping is answered by a reset.
    link.send(generate({ confirmable: true, messageId: 5, code: '0.00' }));
    link.run(1);
    expect(link.inbox).toMatchObject([{ reset: true, messageId: 5 }]);
  });
});

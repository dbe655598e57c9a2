// Remote IMC as the edge sees it, on the simulated device: requests, contracts, separate responses, Observe, Block-wise. The
// oracle for messages is coap-packet.
import type { ParsedPacket } from 'coap-packet';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { OsDevice, type BuiltDevice } from '../os/os-device.js';
import { DeviceLink, optionOf } from './device-link.js';
import { buildSensor, option } from './sensor-device.js';

let built: BuiltDevice;
beforeAll(async () => {
  built = await buildSensor();
}, 120_000);

let device: OsDevice;
let link: DeviceLink;
beforeEach(() => {
  device = new OsDevice(built).settle();
  link = new DeviceLink(device);
});

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

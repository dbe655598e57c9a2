// The device drivers behind /dev on the simulated chip: what they do to the pins and buses, who is told of edges, and that
// a driver that hangs or faults costs its caller one answer and nobody anything else.
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildRuntime } from '../../firmware/build.js';
import { Thermometer } from '../../simulator/peripherals/i2c.js';
import { buildDevice, handler, IMPORTS, OsDevice, word, type BuiltDevice } from './os-device.js';

/** Asks a driver when told to, and keeps what it is told of pin 4. */
const user = `${IMPORTS} (memory (export "memory") 1)
  (global $told (mut i32) (i32.const 0))
  (data (i32.const 0) "/dev/i2c/0/72?read=2") (data (i32.const 32) "/dev/gpio/4") (data (i32.const 48) "edge")
  (func (export "on_start")
    (drop (call $request (i32.const 3) (i32.const 32) (i32.const 11) (i32.const 48) (i32.const 4) (i32.const 64) (i32.const 0)))
    (drop (call $observe (i32.const 32) (i32.const 11) (i32.const 80) (i32.const 1))))
  (func (export "on_notify") (param i32 i32)
    (global.set $told (i32.add (i32.mul (global.get $told) (i32.const 10)) (i32.add (i32.const 1) (i32.load8_u (i32.const 80))))))
  ${handler('told', `(i32.store (local.get $r) (global.get $told)) (i32.const ${word(2.05, 4)})`)}
  ${handler(
    'measure',
    `(i32.store (local.get $r) (call $request (i32.const 1) (i32.const 0) (i32.const 20) (i32.const 0) (i32.const 0)
        (i32.add (local.get $r) (i32.const 4)) (i32.const 2)))
     (i32.const ${word(2.05, 8)})`,
  )}`;
const bytes = (max: number): { type: 'bytes'; max: number } => ({ type: 'bytes', max });

let built: BuiltDevice;
beforeAll(async () => {
  if (process.env['TEST_RUNTIME'] === undefined) await buildRuntime();
  built = await buildDevice([
    {
      name: 'user',
      wat: user,
      provides: [
        { method: 'GET', path: '/told', handler: 'told', contract: { response: bytes(4), deadline: '1ms' } },
        { method: 'GET', path: '/measure', handler: 'measure', contract: { response: bytes(8), deadline: '50ms' } },
      ],
      requires: [
        { path: '/dev/i2c/*', methods: ['GET'] },
        { path: '/dev/gpio/*', methods: ['GET', 'PUT'] },
      ],
    },
  ]);
}, 120_000);

let device: OsDevice;
beforeEach(() => {
  device = new OsDevice(built).settle();
});

describe('GPIO', () => {
  it('drives outputs and reads inputs, of both banks', () => {
    const { gpio } = device.machine;
    expect(gpio.output(5)).toBeUndefined();
    for (const [text, level] of [
      ['out', false],
      ['1', true],
      ['0', false],
    ] as const) {
      expect(device.request('PUT', 'dev/gpio/5', text).code).toBe(2.04);
      expect(gpio.output(5)).toBe(level);
    }
    expect(device.request('PUT', 'dev/gpio/33', 'out').code).toBe(2.04);
    expect(device.request('PUT', 'dev/gpio/33', '1').code).toBe(2.04);
    expect(gpio.output(33)).toBe(true);
    expect([...device.get('dev/gpio/33').payload]).toEqual([1]);
    gpio.setInput(39, true);
    expect([...device.get('dev/gpio/39').payload]).toEqual([1]);
    expect([...device.get('dev/gpio/36').payload]).toEqual([0]);
    expect(device.request('PUT', 'dev/gpio/5', 'in').code).toBe(2.04);
    expect(gpio.output(5)).toBeUndefined();
  });
  it('has no pins of the flash and the console, no outputs where there are none', () => {
    for (const pin of ['1', '3', '6', '11', '20', '24', '28', '40', '400', 'x', ''])
      expect(device.get(`dev/gpio/${pin}`).code, pin).toBe(4.04);
    expect(device.request('PUT', 'dev/gpio/34', 'out').code).toBe(4.03);
    expect(device.request('PUT', 'dev/gpio/34', 'up').code).toBe(4.03);
    expect(device.request('PUT', 'dev/gpio/5', 'outer').code).toBe(4);
  });
  it('tells observers of edges by interrupt', () => {
    const told = (): number => device.get('told').payload.readInt32LE();
    // At the start it says what the pin is.
    expect(told()).toBe(1);
    device.machine.gpio.setInput(4, true);
    device.pass(1);
    expect(told()).toBe(12);
    device.machine.gpio.setInput(4, false);
    device.pass(1);
    device.machine.gpio.setInput(5, true);
    device.pass(1);
    expect(told()).toBe(121);
  });
});

describe('I2C', () => {
  it('reads a sensor for a module, and says when nobody answers', () => {
    let celsius = 21.5;
    expect(device.get('measure').payload.readUInt32LE()).toBe(word(4.04));
    device.machine.i2c[0].attach(72, new Thermometer(() => celsius));
    const measure = (): [number, number] => {
      const { payload } = device.get('measure');
      return [payload.readUInt32LE(), payload.readInt16BE(4) / 256];
    };
    expect(measure()).toEqual([word(2.05, 2), 21.5]);
    celsius = -3.25;
    expect(measure()).toEqual([word(2.05, 2), -3.25]);
  });
  it('writes, and writes then reads', () => {
    const written: number[][] = [];
    let next = 0;
    device.machine.i2c[1].attach(0x20, {
      start: () => {
        next = 100;
      },
      write: (data) => written.push([...data]) > 0,
      read: (count) => Uint8Array.from({ length: count }, () => next++),
    });
    expect(device.request('PUT', 'dev/i2c/1/32', Uint8Array.of(1, 2, 3)).code).toBe(2.04);
    const both = device.request('POST', 'dev/i2c/1/32?read=3', Uint8Array.of(9));
    expect([both.code, ...both.payload]).toEqual([2.05, 100, 101, 102]);
    expect(written).toEqual([[1, 2, 3], [9]]);
    expect(device.request('PUT', 'dev/i2c/1/33', Uint8Array.of(1)).code).toBe(4.04);
    expect(device.get('dev/i2c/2/32').code).toBe(4.04);
    expect(device.get('dev/i2c/0/128').code).toBe(4.04);
    expect(device.request('PUT', 'dev/i2c/1/32', new Uint8Array(32)).code).toBe(4.13);
  });
  it('a bus that hangs: the deadline ends the driver, its caller goes on, the next transfer works', () => {
    device.machine.i2c[0].attach(72, new Thermometer(() => 1));
    device.machine.i2c[0].stuck = true;
    expect(device.get('measure').payload.readUInt32LE()).toBe(word(5.04));
    device.machine.i2c[0].stuck = false;
    device.pass(20);
    expect(device.console).toContain('fault: module dev 1.0.0: deadline expired');
    expect(device.get('measure').payload.readUInt32LE()).toBe(word(2.05, 2));
    expect(device.get('told').code).toBe(2.05);
  });
  it('a driver that faults: 5.00, and it is started again', () => {
    device.machine.i2c[0].attach(72, new Thermometer(() => 1));
    device.prepare('GET', 'measure');
    device.machine.run({ until: device.address('ts_i2c_read'), maxInstructions: 100_000 });
    // As if the driver had lost the address of the response.
    device.machine.setRegister(4, 8);
    expect(device.settle().answer().payload.readUInt32LE()).toBe(word(5));
    device.pass(20);
    expect(device.console).toMatch(/fault: module dev 1\.0\.0: trap: machine exception/);
    expect(device.get('measure').payload.readUInt32LE()).toBe(word(2.05, 2));
  });
});

describe('the small ones', () => {
  it('clock, random numbers', () => {
    const now = (): bigint => device.get('dev/clock').payload.readBigUInt64LE();
    const before = now();
    device.pass(100);
    const passed = Number(now() - before);
    expect(passed).toBeGreaterThan(99_900);
    expect(passed).toBeLessThan(101_000);
    const random = device.request('GET', 'dev/random', undefined, 16).payload;
    expect(random.length).toBe(16);
    expect(device.request('GET', 'dev/random', undefined, 16).payload.equals(random)).toBe(false);
  });
  it('console and serial line', () => {
    device.request('POST', 'dev/console', 'a line');
    device.request('POST', 'dev/uart/0', 'raw');
    expect(device.console).toBe('sys: a line\nraw');
    device.machine.sendConsole(Buffer.from('typed'));
    expect(device.get('dev/uart/0').payload.toString()).toBe('typed');
    expect(device.get('dev/uart/0').payload.length).toBe(0);
    expect(device.get('dev/uart/1').code).toBe(4.04);
  });
});

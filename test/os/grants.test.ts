// Grants between three modules on the simulated device: what a window shows, who may use it, when it ends, and what that
// does to those who hold it.
import { beforeEach, beforeAll, describe, expect, it } from 'vitest';
import { ModuleState } from '../../compiler/abi/os-layout.js';
import { agent, DATA, Op, payload } from './agent.js';
import { buildDevice, OsDevice, prepareRuntime, word, type BuiltDevice } from './os-device.js';

const READ = 1;
const WRITE = 2;
const OFFSET_BITS = 18;

describe.each([
  ['by URI', false],
  ['by number', true],
])('grants, calls %s', (_, byNumber) => {
  let built: BuiltDevice;
  let device: OsDevice;
  beforeAll(async () => {
    await prepareRuntime();
    const names = ['a', 'b', 'c'];
    built = await buildDevice(
      names.map((name) =>
        agent(
          name,
          names.filter((other) => other !== name),
          { grows: name === 'a', byNumber },
        ),
      ),
    );
  }, 120_000);
  beforeEach(() => {
    device = new OsDevice(built).settle();
  });

  /** Result of an operation, or the negative code of its failure. */
  const tell = (who: string, ...words: number[]): number => {
    const { code, payload: answer } = device.request('PUT', `/${who}`, payload(...words));
    return code === 2.05 ? answer.readUInt32LE() : -code;
  };
  const settle = (): void => void device.pass(80);
  /** Entries of `requires`: the others in their order. */
  const TO_B = 0;
  const grantToB = (address: number, bytes: number, rights: number, milliseconds = 0): number =>
    tell('a', Op.Grant, TO_B, address, bytes, rights, milliseconds);

  it('show the owner’s bytes, from the first to the last', () => {
    const window = grantToB(DATA, 16, READ);
    expect(window).toBeGreaterThanOrEqual(0x80000000);
    expect(tell('b', Op.Load, window)).toBe(0);
    expect(tell('b', Op.Load, window + 15)).toBe(15);
    expect(tell('b', Op.Load32, window + 12)).toBe(0x0f0e0d0c);
    expect(tell('a', Op.Store, DATA + 3, 99)).toBe(0);
    expect(tell('b', Op.Load, window + 3)).toBe(99);
  });
  it.each([
    ['one byte behind', 16, Op.Load],
    ['one byte before', -1, Op.Load],
    ['a word across the end', 13, Op.Load32],
    ['a store', 0, Op.Store],
  ])('%s traps', (_, offset, op) => {
    const window = grantToB(DATA, 16, READ);
    expect(tell('b', op, window + offset, 1)).toBe(-5);
    expect(device.console).toContain('fault: module b 1.0.0: trap: out of bounds memory access');
    expect(tell('a', Op.Load, DATA)).toBe(0);
  });
  it('write only, and both', () => {
    const write = grantToB(DATA, 4, WRITE);
    expect(tell('b', Op.Store, write + 1, 7)).toBe(0);
    expect(tell('a', Op.Load, DATA + 1)).toBe(7);
    expect(tell('b', Op.Load, write)).toBe(-5);
    settle();
    const both = grantToB(DATA, 4, READ | WRITE);
    expect(tell('b', Op.Store, both + 3, 8)).toBe(0);
    expect(tell('b', Op.Load, both + 3)).toBe(8);
  });
  it('are for their holder alone, under their own number and generation', () => {
    const window = grantToB(DATA, 16, READ);
    expect(tell('c', Op.Load, window)).toBe(-5);
    expect(tell('a', Op.Load, window)).toBe(-5);
    settle();
    for (const forged of [window + (1 << OFFSET_BITS), window + (1 << (OFFSET_BITS + 6)), window ^ 0x40000000]) {
      // a started again: what it had granted is gone; b's forged handles must fail alike.
      expect(tell('b', Op.Load, forged)).toBe(-5);
      settle();
    }
  });
  it('end by revocation, once, by the owner', () => {
    const window = grantToB(DATA, 16, READ);
    expect(tell('b', Op.Revoke, window)).toBe(0);
    expect(tell('c', Op.Revoke, window)).toBe(0);
    expect(tell('b', Op.Load, window)).toBe(0);
    expect(tell('a', Op.Revoke, window)).toBe(1);
    expect(tell('a', Op.Revoke, window)).toBe(0);
    expect(tell('b', Op.Load, window)).toBe(-5);
    expect(device.liveGrants()).toEqual([]);
  });
  it('end when their time is over', () => {
    const window = grantToB(DATA, 16, READ, 5);
    expect(tell('b', Op.Load, window + 1)).toBe(1);
    device.pass(6);
    expect(device.liveGrants()).toEqual([]);
    expect(tell('b', Op.Load, window)).toBe(-5);
  });
  it('of a grant have no more rights and no more bytes, and end with it', () => {
    const window = grantToB(DATA, 16, READ);
    const TO_C = 1;
    const narrowed = tell('b', Op.Grant, TO_C, window + 4, 8, READ, 0);
    expect(tell('c', Op.Load, narrowed + 7)).toBe(11);
    expect(tell('c', Op.Load, narrowed + 8)).toBe(-5);
    settle();
    expect(device.liveGrants()).toHaveLength(1);
    expect(tell('b', Op.Grant, TO_C, window, 16, READ | WRITE, 0)).toBe(-5);
    settle();
    expect(device.liveGrants()).toHaveLength(0);
    const again = grantToB(DATA, 16, READ);
    expect(tell('b', Op.Grant, TO_C, again + 1, 16, READ, 0)).toBe(-5);
    settle();
    const third = grantToB(DATA, 16, READ);
    const child = tell('b', Op.Grant, TO_C, third, 16, READ, 0);
    expect(tell('c', Op.Load, child + 15)).toBe(15);
    expect(tell('a', Op.Revoke, third)).toBe(1);
    expect(device.liveGrants()).toEqual([]);
    expect(tell('c', Op.Load, child)).toBe(-5);
  });
  it('to the caller', () => {
    const window = tell('a', Op.Forward, 0, Op.GrantCaller, DATA + 32, 4, READ, 0);
    expect(tell('a', Op.Load, window + 3)).toBe(35);
    expect(tell('a', Op.Load, window + 4)).toBe(-5);
  });
  it('of a call end with it', () => {
    expect(tell('a', Op.Forward, 0, Op.Load, DATA + 5)).toBe(5);
    expect(device.liveGrants()).toEqual([]);
    expect(tell('a', Op.Forward, 0, Op.LoadStale)).toBe(word(5));
  });
  it('pass a payload on without copying it', () => {
    // host -> a -> (window of the host's bytes) b -> (window of that) c
    expect(tell('a', Op.PassOn, 0, Op.PassOn, 1, Op.Load, DATA + 9)).toBe(9);
    expect(device.liveGrants()).toEqual([]);
  });
  it('outlive growth of the owner’s memory', () => {
    const window = grantToB(DATA, 256, READ);
    expect(tell('a', Op.Grow, 1)).toBe(0xffffffff);
    expect(tell('b', Op.Load, window + 200)).toBe(200);
  });
  it('end when owner or holder starts again', () => {
    const window = grantToB(DATA, 16, READ);
    expect(tell('a', Op.Trap)).toBe(-5);
    settle();
    expect(device.module('a').state).toBe(ModuleState.Running);
    expect(device.liveGrants()).toEqual([]);
    expect(tell('b', Op.Load, window)).toBe(-5);
    settle();
    const other = grantToB(DATA, 16, READ);
    expect(tell('b', Op.Trap)).toBe(-5);
    settle();
    expect(tell('b', Op.Load, other)).toBe(-5);
  });
  it('end an invocation that used them when they are revoked under it', () => {
    const window = grantToB(DATA, 16, READ);
    expect(tell('b', Op.LoadAround, window, 0, Op.Load, 5)).toBe(0);
    expect(tell('b', Op.LoadAround, window, 0, Op.Revoke, window)).toBe(-5);
    expect(device.console).toMatch(/^fault: module b 1\.0\.0: killed\n/);
    expect(device.frameCount()).toBe(0);
    settle();
    // Not used in the invocation that has it revoked: nothing happens.
    const other = grantToB(DATA, 16, READ);
    device.console = '';
    expect(tell('b', Op.Forward, 0, Op.Revoke, other)).toBe(1);
    expect(device.console).toBe('');
  });
  it('are memory for WASI too, with the same bounds and rights', () => {
    const bytes = (): number[] => [0, 4, 8, 12, 16].map((at) => tell('a', Op.Load32, DATA + at));
    const before = bytes();
    const window = grantToB(DATA, 16, READ | WRITE);
    expect(tell('b', Op.Random, window, 16)).toBe(0);
    const after = bytes();
    expect(after.slice(0, 4)).not.toEqual(before.slice(0, 4));
    expect(after[4]).toBe(before[4]);
    const FAULT = 21;
    for (const [at, n] of [
      [window + 1, 16],
      [window, 17],
      [window - 1, 1],
      [grantToB(DATA, 16, READ), 16],
    ] as const)
      expect(tell('b', Op.Random, at, n)).toBe(FAULT);
    expect(bytes()).toEqual(after);
  });
  it('are not to be had for oneself, for drivers, of nothing or without rights', () => {
    expect(grantToB(DATA, 16, 0)).toBe(0);
    expect(grantToB(DATA, 0, READ)).toBe(-5);
    settle();
    expect(grantToB(65536 - 4, 5, READ)).toBe(-5);
    settle();
    expect(tell('a', Op.GrantCaller, DATA, 16, READ, 0)).toBe(0);
  });
  it('run out without taking from calls what they need', () => {
    const windows: number[] = [];
    for (let window = grantToB(DATA, 16, READ); window > 0; window = grantToB(DATA, 16, READ)) windows.push(window);
    expect(windows).toHaveLength(32);
    expect(new Set(windows).size).toBe(32);
    expect(tell('a', Op.Forward, 0, Op.Load, DATA + 1)).toBe(1);
    expect(tell('b', Op.Load, windows[31]! + 2)).toBe(2);
    for (const window of windows) expect(tell('a', Op.Revoke, window)).toBe(1);
    expect(device.liveGrants()).toEqual([]);
    expect(grantToB(DATA, 16, READ)).toBeGreaterThan(0);
  });
});

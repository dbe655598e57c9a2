// The firmware in the simulated ESP32 with a hand-written module: boot, console, invocations, traps with backtraces,
// deadlines, machine exceptions, WASI. Needs the cross compiler for the module.
import { beforeAll, describe, expect, it } from 'vitest';
import { BACKTRACE_FRAMES, MailboxState, RT_MAILBOX } from '../../../compiler/abi/layout.js';
import { RuntimeSymbol } from '../../../compiler/abi/linker-symbols.js';
import { StopReason, TrapCode } from '../../../compiler/abi/traps.js';
import { buildRuntime } from '../../../firmware/build.js';
import { Device, haveCompiler, linkDevice } from './device.js';

/** Special registers. */
const CCOUNT = 234;
const INTENABLE = 228;
const CCOMPARE1 = 241;

describe.skipIf(!haveCompiler)('firmware', () => {
  beforeAll(async () => {
    await buildRuntime();
  }, 60_000);

  describe('without _start', () => {
    let device: Device;
    beforeAll(() => {
      device = new Device(linkDevice()).settle();
    });

    it('boots silently, instantiates and waits', () => {
      expect(device.console).toBe('');
      expect(device.machine.readWord(device.address(RuntimeSymbol.Mailbox))).toBe(MailboxState.Idle);
      expect(device.outcome().reason).toBe(StopReason.Returned);
      const memory = device.machine.readWord(device.address('test.memory'));
      expect(Buffer.from(device.machine.readMemory(memory + 48, 5)).toString()).toBe('Hello');
    });

    it('passes arguments and results', () => {
      expect(device.invoke('test.add', [2, -5], 1)).toMatchObject({ reason: StopReason.Returned, results: [-3] });
    });

    it('passes more words than registers hold', () => {
      const args = [1, 2, 3, 4, 5, 6, 70, 800];
      expect(device.invoke('test.shuffle', args, 6).results).toEqual([6, 5, 4, 3, 2, 1 + 70 + 800]);
    });

    it('turns a division by zero into a trap with the Wasm backtrace', () => {
      const outcome = device.invoke('test.call_divide', [7, 0], 1);
      expect(outcome).toMatchObject({ reason: StopReason.Trapped, trapCode: TrapCode.IntegerDivideByZero });
      expect(outcome.backtrace).toEqual([
        [1, 0x4f],
        [2, 0x60],
      ]);
      expect(device.invoke('test.call_divide', [7, 2], 1).results).toEqual([3]);
    });

    it('reports unreachable and null references', () => {
      const unreachable = device.invoke('test.unreachable');
      expect(unreachable).toMatchObject({ trapCode: TrapCode.Unreachable, backtrace: [[3, 0x70]] });
      const reference = device.invoke('test.null_reference');
      expect(reference).toMatchObject({ trapCode: TrapCode.UninitializedElement, backtrace: [[7, 0x90]] });
    });

    it('ends a stack overflow with as much backtrace as fits', () => {
      const outcome = device.invoke('test.recurse');
      expect(outcome).toMatchObject({ reason: StopReason.Trapped, trapCode: TrapCode.StackOverflow });
      expect(outcome.backtrace.length).toBe(BACKTRACE_FRAMES);
      expect(outcome.backtrace[0]).toEqual([4, 0x80]);
      expect(outcome.backtrace[1]).toEqual([4, 0x81]);
      expect(device.invoke('test.add', [1, 1], 1).results).toEqual([2]);
    });

    it.each(['test.forever', 'test.loop_forever'])('stops %s at its deadline', (symbol) => {
      const outcome = device.invoke(symbol, [], 0, 20_000);
      expect(outcome.reason).toBe(StopReason.DeadlineExpired);
      expect(outcome.cycles).toBeGreaterThan(20_000);
      expect(outcome.cycles).toBeLessThan(22_000);
      expect(device.invoke('test.add', [20, 22], 1).results).toEqual([42]);
    });

    it('leaves a call alone that is in time', () => {
      expect(device.invoke('test.add', [20, 22], 1, 20_000)).toMatchObject({
        reason: StopReason.Returned,
        results: [42],
      });
    });

    it('reports an exception that no side table explains as a machine exception', () => {
      device.console = '';
      const outcome = device.invoke('test.wild');
      expect(outcome).toMatchObject({ reason: StopReason.Trapped, trapCode: TrapCode.MachineException });
      expect(device.console).toMatch(/^machine exception 28 pc 0x[0-9a-f]{8} vaddr 0x10000000 ps 0x/);
      expect(device.console).toMatch(/a15 0x[0-9a-f]{8}\n$/);
    });

    it('writes to the console through WASI and checks pointers', () => {
      device.console = '';
      expect(device.invoke('test.hello', [], 1).results).toEqual([0]);
      expect(device.console).toBe('Hello, world\n');
      device.console = '';
      expect(device.invoke('test.write_outside', [], 1).results).toEqual([21]);
      expect(device.console).toBe('');
    });

    it('reads from the console until the end of input', () => {
      device.machine.uart.push(Buffer.from('ab\x04'));
      expect(device.invoke('test.read', [], 3).results[1]).toBe(2);
      expect(device.invoke('test.read', [], 3).results[1]).toBe(0);
      device.machine.uart.push(Buffer.from('wxyz!'));
      expect(device.invoke('test.read', [], 3).results).toEqual([0, 4, Buffer.from('wxyz').readInt32LE()]);
    });

    it('has a clock that follows the cycles', () => {
      const first = device.invoke('test.clock', [], 3);
      expect(first.results[0]).toBe(0);
      const before = device.machine.cycles;
      device.invoke('test.forever', [], 0, 400_000);
      const second = device.invoke('test.clock', [], 3);
      const elapsed = (second.results[1]! >>> 0) - (first.results[1]! >>> 0);
      // 40 MHz: 25 ns a cycle.
      expect(elapsed).toBeGreaterThan(400_000 * 25);
      expect(elapsed).toBeLessThan((device.machine.cycles - before) * 25 + 4000);
    });

    it('ends an invocation with the exit code of proc_exit', () => {
      expect(device.invoke('test.exit', [3])).toMatchObject({ reason: StopReason.Exited, exitCode: 3 });
    });

    it('answers ENOSYS for what a chip does not have', () => {
      expect(device.invoke('test.open', [], 1).results).toEqual([52]);
    });
  });

  describe('when the runtime itself is broken', () => {
    it('stops with one line on an exception inside the exception handler', () => {
      const device = new Device(linkDevice()).settle();
      const modules = device.address(RuntimeSymbol.Mailbox) + RT_MAILBOX.offset.modules;
      device.machine.writeWord(modules, 0x10);
      expect(device.invoke('test.unreachable')).toMatchObject({
        reason: StopReason.Trapped,
        trapCode: TrapCode.MachineException,
      });
      expect(device.console).toMatch(/^double exception pc 0x400[0-9a-f]{5}\n$/);
    });

    it('stops with one line on an interrupt that nobody asked for', () => {
      const device = new Device(linkDevice()).settle();
      const timerLevel3 = 15;
      device.machine.injectAt(device.machine.instructions + 500, (machine) => {
        machine.setSpecial(CCOMPARE1, machine.getSpecial(CCOUNT) + 500);
        machine.setSpecial(INTENABLE, 1 << timerLevel3);
      });
      expect(device.invoke('test.forever').trapCode).toBe(TrapCode.MachineException);
      expect(device.console).toMatch(/^unexpected interrupt, level 3 pc 0x400[0-9a-f]{5}\n$/);
    });
  });

  describe('with _start', () => {
    it('runs it at boot', () => {
      const device = new Device(linkDevice('hello')).settle();
      expect(device.console).toBe('Hello, world\n');
      expect(device.outcome().reason).toBe(StopReason.Returned);
    });
    it('prints a trap report with names', () => {
      const device = new Device(linkDevice('call_divide')).settle();
      expect(device.console).toBe('trap: integer divide by zero\n  #0 func 1 @0x4f\n  #1 func 2 call_divide @0x60\n');
      expect(device.outcome().trapCode).toBe(TrapCode.IntegerDivideByZero);
    });
    it('prints nothing for an exit', () => {
      const device = new Device(linkDevice('exit')).settle();
      expect(device.console).toBe('');
      expect(device.outcome().reason).toBe(StopReason.Exited);
    });
    it('runs code and constants from flash', () => {
      const image = linkDevice('hello', { code: 'flash', rodata: 'flash' });
      expect(image.symbols.get('test.hello')!.address).toBeGreaterThanOrEqual(0x400d0000);
      const device = new Device(image).settle();
      expect(device.console).toBe('Hello, world\n');
    });
  });
});

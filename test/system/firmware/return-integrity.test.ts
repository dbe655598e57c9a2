// `--cfi full`: a return address that changes on the stack while a function runs ends the invocation before the function
// returns to it; the same flip without the check is noticed by nothing. Uses the whole chain and a bit flip.
import { beforeAll, describe, expect, it } from 'vitest';
import wabt from 'wabt';
import { ESP32 } from '../../../compiler/abi/boards.js';
import { StopReason, TrapCode } from '../../../compiler/abi/traps.js';
import { buildRuntime } from '../../../firmware/build.js';
import { buildImage } from '../../../linker/build.js';
import { Device, haveCompiler } from './device.js';

const DEPTH = 10;
/** Not inlined: it calls itself. */
const SOURCE = `(module
  (func $down (export "down") (param $n i32) (result i32)
    (if (result i32) (i32.eqz (local.get $n))
      (then (i32.const 0))
      (else (i32.add (i32.const 1) (call $down (i32.sub (local.get $n) (i32.const 1))))))))`;

describe.skipIf(!haveCompiler)('return addresses', () => {
  let bytes: Uint8Array;
  beforeAll(async () => {
    await buildRuntime();
    const module = (await wabt()).parseWat('down.wat', SOURCE);
    bytes = module.toBinary({}).buffer;
  }, 60_000);

  function flipped(cfi: 'forward' | 'full'): ReturnType<Device['outcome']> {
    const { linked } = buildImage([{ file: 'down.wasm', bytes }], { board: ESP32, compile: { cfi } });
    const device = new Device(linked).settle();
    expect(device.invoke('down.down', [DEPTH], 1)).toMatchObject({ reason: StopReason.Returned, results: [DEPTH] });
    // Find the innermost frame: watch SP while the same invocation runs again.
    let lowest = 0xffffffff;
    let at = 0;
    device.machine.setTrace(() => {
      const sp = device.machine.getRegister(1) >>> 0;
      if (sp < lowest) {
        lowest = sp;
        at = device.machine.instructions;
      }
    });
    const before = device.machine.instructions;
    device.invoke('down.down', [DEPTH], 1);
    device.machine.setTrace(undefined);
    // Two frames up is a function that has long stored its return address and will still return to it.
    const frame = 16;
    device.machine.injectBitFlip(device.machine.instructions + (at - before) + 1, lowest + 2 * frame, 5);
    return device.invoke('down.down', [DEPTH], 1);
  }

  it('are checked with full', () => {
    const outcome = flipped('full');
    expect(outcome).toMatchObject({ reason: StopReason.Trapped, trapCode: TrapCode.ReturnAddressCorrupted });
    expect(outcome.backtrace[0]![0]).toBe(0);
  });
  it('are not with forward', () => {
    expect(flipped('forward').trapCode).not.toBe(TrapCode.ReturnAddressCorrupted);
  });
});

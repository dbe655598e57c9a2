// Tests the verifier's own soundness: flips single bits of compiled code, runs every variant that it still accepts, and looks
// whether anything outside of the sandbox changed. Takes a seed and a time, gives counts.
import { verifyImage } from '../../verifier/verify.js';
import { DeviceFault } from '../../cli/device.js';
import { CanaryDevice, endingText } from './canary-device.js';
import { CHECKED_PROGRAM } from './programs.js';

export interface FlipCounts {
  rejected: number;
  accepted: number;
  /** Calls made of functions in accepted variants. */
  calls: number;
  readonly escapes: string[];
}

const VALUES = [0, 1, 2, 3, 5, 100, 65532, 65535, 65536, 131068, 0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff];
const CALLS_OF_EACH = 6;

export function runFlips(seed: number, milliseconds: number): FlipCounts {
  const counts: FlipCounts = { rejected: 0, accepted: 0, calls: 0, escapes: [] };
  const device = new CanaryDevice(CHECKED_PROGRAM, { level: '2', cfi: 'forward' });
  const { image } = device;
  const { machine } = device.device;
  let state = seed >>> 0;
  const random = (n: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const functions = [...image.functions.values()].filter((f) => f.module.name === 'app');
  const { exports } = device.device.modules().find(({ name }) => name === 'app')!;
  const callAll = (what: string): void => {
    for (const { name, signature } of exports) {
      for (let k = 0; k < CALLS_OF_EACH; k++) {
        const params = [...signature.slice(0, signature.indexOf(':'))];
        const args = params.map(() => VALUES[random(VALUES.length)]!);
        counts.calls++;
        try {
          const ending = endingText(device.call(name, ...args).ending);
          if (ending === 'machine exception') counts.escapes.push(`${what}: ${name}(${args.join(', ')}): ${ending}`);
        } catch (error) {
          if (!(error instanceof DeviceFault)) throw error;
          counts.escapes.push(`${what}: ${name}(${args.join(', ')}): ${error.message}`);
        }
      }
    }
  };
  const until = Date.now() + milliseconds;
  while (Date.now() < until) {
    const func = functions[random(functions.length)]!;
    const address = func.poolStart + random(func.start + func.size - func.poolStart);
    const bit = random(8);
    const segment = image.segmentAt(address)!;
    const at = address - segment.address;
    const good = segment.bytes[at]!;
    const wrong = good ^ (1 << bit);
    segment.bytes[at] = wrong;
    const accepted = verifyImage(image, { checkReturns: false }).ok;
    segment.bytes[at] = good;
    if (!accepted) {
      counts.rejected++;
      continue;
    }
    counts.accepted++;
    const what = `${func.name} with bit ${bit} of 0x${address.toString(16)} flipped`;
    machine.writeMemory(address, Uint8Array.of(wrong));
    callAll(what);
    machine.writeMemory(address, Uint8Array.of(good));
    const touched = device.touched();
    if (touched.length === 0) continue;
    counts.escapes.push(`${what}: touched ${touched.map((a) => `0x${a.toString(16)}`).join(', ')}`);
    device.arm();
  }
  return counts;
}

// Runs hostile modules and boundary suites on a device with canaries. Takes compile options, gives counts and failures.
import type { CompileOptions } from '../../backend-xtensa/compile-module.js';
import { verifyImage } from '../../verifier/verify.js';
import { boundarySuite } from './boundaries.js';
import { CanaryDevice, endingText } from './canary-device.js';
import { HOSTILE, type HostileModule } from './hostile.js';

export interface HostileCounts {
  calls: number;
  traps: number;
  /** Comparisons of the device's whole RAM. */
  comparisons: number;
  readonly failures: string[];
}

export const newCounts = (): HostileCounts => ({ calls: 0, traps: 0, comparisons: 0, failures: [] });

function compare(device: CanaryDevice, what: string, counts: HostileCounts): void {
  counts.comparisons++;
  for (const address of device.touched()) counts.failures.push(`${what}: touched 0x${address.toString(16)}`);
}

function verifyCode(device: CanaryDevice, what: string, compile: CompileOptions, counts: HostileCounts): void {
  const verdict = verifyImage(device.image, { checkReturns: compile.cfi === 'full' });
  for (const fault of verdict.faults) counts.failures.push(`${what}: ${fault}`);
  for (const { name, violations } of verdict.functions)
    if (violations.length > 0) counts.failures.push(`${what}: ${name} is not proved: ${violations[0]!.reason}`);
}

export function runHostile(module: HostileModule, compile: CompileOptions, counts: HostileCounts): void {
  const device = new CanaryDevice(module.text, compile);
  const { what } = module;
  if (module.onlyRun !== true) verifyCode(device, what, compile, counts);
  const booted = endingText(device.boot.ending);
  if (booted !== (module.boot ?? 'returned')) counts.failures.push(`${what}: instantiation ended with ${booted}`);
  for (const { name, args = [], ends } of module.calls) {
    const ending = endingText(device.call(name, ...args).ending);
    counts.calls++;
    if (ending !== 'returned') counts.traps++;
    if (ending !== ends) counts.failures.push(`${what}: ${name}(${args.join(', ')}) ended with ${ending}, not ${ends}`);
    compare(device, `${what}: ${name}(${args.join(', ')})`, counts);
  }
}

export function runAllHostile(compile: CompileOptions, counts: HostileCounts): void {
  for (const module of HOSTILE) runHostile(module, compile, counts);
}

/** @param every makes each `every`th call only */
export function runBoundaries(
  part: number,
  parts: number,
  compile: CompileOptions,
  counts: HostileCounts,
  every = 1,
): void {
  const suite = boundarySuite(part, parts);
  const device = new CanaryDevice(suite.text, compile);
  verifyCode(device, `boundaries ${part}`, compile, counts);
  let last = '';
  suite.calls.forEach(({ name, args, trap }, i) => {
    if (i % every !== 0 && !name.startsWith('grow')) return;
    // One comparison for each function: it says which one touched something.
    if (last !== '' && name !== last) compare(device, last, counts);
    last = name;
    const ending = endingText(device.call(name, ...args).ending);
    counts.calls++;
    if (trap) counts.traps++;
    const expected = trap ? 'out of bounds memory access' : 'returned';
    if (ending !== expected) counts.failures.push(`${name}(${args.join(', ')}) ended with ${ending}, not ${expected}`);
  });
  compare(device, last, counts);
}

// Executes modules as compiled code in the simulated ESP32. Knows script values, not how a device is made.
import type { CompileOptions } from '../../../backend-xtensa/compile-module.js';
import { DiagnosticError } from '../../../compiler/diagnostics.js';
import { SlotDevice, fromWords, toWords, trapMessage, wordsOf, type SlotModule } from '../../runner/slot-device.js';
import { DeviceLimit, InstantiationTrap, type Executor, type Instance, type Outcome } from '../executor.js';
import { TYPE_OF_LETTER, type Value } from '../values.js';
import { spectestModule } from './spectest.js';

const MAX_INSTRUCTIONS = 400_000_000;

export class DeviceExecutor implements Executor {
  readonly name = 'device';
  private readonly device: SlotDevice;
  private count = 0;

  constructor(compile: CompileOptions) {
    this.device = new SlotDevice({ compile, maxInstructions: MAX_INSTRUCTIONS });
  }

  reset(): void {
    this.device.reset();
    this.count = 0;
    this.register('spectest', this.instantiate(spectestModule()));
  }

  instantiate(bytes: Uint8Array): Instance {
    const module = this.load(bytes);
    const message = trapMessage(this.device.instantiate(module).ending);
    if (message !== undefined) throw new InstantiationTrap(message);
    return module;
  }

  private load(bytes: Uint8Array): SlotModule {
    try {
      return this.device.load(bytes, `m${this.count++}`);
    } catch (error) {
      if (error instanceof DiagnosticError && error.code === 'W403')
        throw new DeviceLimit(error.message.split('\n')[0]!);
      throw error;
    }
  }

  register(name: string, instance: Instance): void {
    this.device.alias(name, instance as SlotModule);
  }

  invoke(instance: Instance, field: string, args: readonly Value[]): Outcome {
    const module = instance as SlotModule;
    const [params = '', results = ''] = this.device.signature(module, field).split(':');
    const words = toWords(
      args.map((a) => a.bits),
      params,
    );
    const invocation = this.device.call(module, field, words, wordsOf(results));
    const message = trapMessage(invocation.ending);
    if (message !== undefined) return { kind: 'trap', message };
    const bits = fromWords(invocation.results, results);
    return { kind: 'values', values: bits.map((b, i) => ({ type: TYPE_OF_LETTER[results[i]!]!, bits: b })) };
  }

  get(instance: Instance, field: string): Value {
    const { info } = instance as SlotModule;
    const found = info.exports.find((e) => e.name === field && e.kind === 'global');
    if (found === undefined) throw new DiagnosticError('W603', `no exported global "${field}"`);
    const letter = found.type!.slice(0, 1);
    const address = this.device.address(found.symbol);
    const words = Array.from({ length: wordsOf(letter) }, (_, i) => this.device.machine.readWord(address + 4 * i));
    return { type: TYPE_OF_LETTER[letter]!, bits: fromWords(words, letter)[0]! };
  }
}

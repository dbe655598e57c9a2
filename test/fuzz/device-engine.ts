// Runs generated modules as compiled code in the simulated ESP32, at one optimisation level.
import type { CompileOptions } from '../../backend-xtensa/compile-module.js';
import { WASM_MEMORY } from '../../compiler/abi/layout.js';
import { exportSymbol } from '../../compiler/abi/symbols.js';
import { SlotDevice, fromWords, toWords, trapMessage, wordsOf } from '../runner/slot-device.js';
import {
  TRAP_CLASS,
  hashMemory,
  isWide,
  type FuzzCall,
  type FuzzEngine,
  type FuzzOutcome,
  type InstantiationFailure,
  type Observation,
} from './engine.js';
import type { GeneratedModule } from './generate.js';

const MAX_INSTRUCTIONS = 30_000_000;
/** Fuel bounds recursion to 2,000 frames. */
const STACK_BYTES = 0x10000;

export class DeviceEngine implements FuzzEngine {
  readonly name: string;
  private readonly device: SlotDevice;
  private loaded = 0;

  constructor(compile: CompileOptions) {
    this.name = `device -O${compile.level}`;
    this.device = new SlotDevice({ compile, maxInstructions: MAX_INSTRUCTIONS, stackBytes: STACK_BYTES });
  }

  run(module: GeneratedModule, calls: readonly FuzzCall[]): Observation | InstantiationFailure {
    // A fresh boot each time would cost more than the module; slots are reused instead, memories are cleared on load.
    if (this.loaded++ > 0) this.device.clear();
    const loaded = this.device.load(module.bytes, 'fuzz');
    const { machine } = this.device;
    const start = trapMessage(this.device.instantiate(loaded).ending);
    if (start !== undefined) return { instantiation: TRAP_CLASS[start] ?? start };
    const outcomes: FuzzOutcome[] = [];
    for (const { func, args } of calls) {
      const name = `f${func}`;
      const [params = '', results = ''] = this.device.signature(loaded, name).split(':');
      const invocation = this.device.call(loaded, name, toWords(args, params), wordsOf(results));
      const message = trapMessage(invocation.ending);
      if (message === undefined) outcomes.push({ results: fromWords(invocation.results, results) });
      else if (message === 'instruction limit') break;
      else {
        const trap = TRAP_CLASS[message] ?? message;
        outcomes.push({ trap });
        if (trap === 'exhausted') break;
      }
    }
    const globals = module.globals.map((type, i) => {
      const at = this.device.address(exportSymbol('fuzz', `g${i}`));
      const letter = isWide(type) ? 'I' : 'i';
      return fromWords(
        Array.from({ length: wordsOf(letter) }, (_, k) => machine.readWord(at + 4 * k)),
        letter,
      )[0]!;
    });
    const memories = Array.from({ length: module.memories }, (_, i) => {
      const at = this.device.address(exportSymbol('fuzz', `m${i}`));
      const base = machine.readWord(at + WASM_MEMORY.offset.base) >>> 0;
      return hashMemory(machine.readMemory(base, machine.readWord(at + WASM_MEMORY.offset.bytes) >>> 0));
    });
    return { outcomes, globals, memories };
  }
}

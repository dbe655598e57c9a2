// Runs generated modules on the IR reference interpreter.
import { frontend } from '../../compiler/driver.js';
import type { Value } from '../../compiler/ir/eval.js';
import { OutOfFuel, Trap, initialise, invoke } from '../../compiler/ir/interp.js';
import { Instance, Store } from '../../compiler/ir/runtime.js';
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
import type { GeneratedModule, NumType } from './generate.js';

const FUEL = 20_000_000;

const fromBits = (bits: bigint, type: NumType): Value =>
  isWide(type) ? BigInt.asIntN(64, bits) : Number(BigInt.asIntN(32, bits));
const toBits = (value: Value): bigint => (typeof value === 'bigint' ? BigInt.asUintN(64, value) : BigInt(value >>> 0));

export class InterpEngine implements FuzzEngine {
  readonly name = 'interp';
  run(module: GeneratedModule, calls: readonly FuzzCall[]): Observation | InstantiationFailure {
    const store = new Store();
    store.maxDepth = 20_000;
    const instance = new Instance(store, frontend(module.bytes, { name: 'fuzz' }), () => undefined);
    try {
      initialise(instance);
    } catch (error) {
      if (error instanceof Trap) return { instantiation: TRAP_CLASS[error.message]! };
      throw error;
    }
    const outcomes: FuzzOutcome[] = [];
    for (const { func, args } of calls) {
      const type = module.functions[func]!;
      const found = instance.exports.get(`f${func}`)!;
      if (found.kind !== 'func') throw new Error('not a function');
      store.fuel = FUEL;
      try {
        const results = invoke(
          store,
          found.func,
          args.map((bits, i) => fromBits(bits, type.params[i]!)),
        );
        outcomes.push({ results: results.map(toBits) });
      } catch (error) {
        if (error instanceof OutOfFuel) break;
        if (!(error instanceof Trap)) throw error;
        const trap = TRAP_CLASS[error.message]!;
        outcomes.push({ trap });
        if (trap === 'exhausted') break;
      }
    }
    return {
      outcomes,
      globals: instance.globals.map((g) => toBits(g.value)),
      memories: instance.memories.map((m) => hashMemory(m.bytes)),
    };
  }
}

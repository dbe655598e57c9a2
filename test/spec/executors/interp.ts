// Executes modules by the IR reference interpreter: the suite's second opinion. `level` says how far the IR is lowered
// before: as translated, or after optimisation. Knows no machine.
import { frontend } from '../../../compiler/driver.js';
import type { Value as IrValue } from '../../../compiler/ir/eval.js';
import { OutOfFuel, Trap, initialise, invoke } from '../../../compiler/ir/interp.js';
import { Instance as IrInstance, Store, type Extern } from '../../../compiler/ir/runtime.js';
import { signatureText } from '../../../compiler/abi/signature-id.js';
import { Type, type Signature } from '../../../compiler/ir/types.js';
import { DiagnosticError } from '../../../compiler/diagnostics.js';
import { InstantiationTrap, type Executor, type Instance, type Outcome } from '../executor.js';
import { TYPE_OF_LETTER, type Value, type ValueType } from '../values.js';
import { spectestModule } from './spectest.js';

const FUEL = 50_000_000;
const TYPE_OF: Readonly<Record<number, ValueType>> = {
  [Type.I32]: 'i32',
  [Type.I64]: 'i64',
  [Type.F32]: 'f32',
  [Type.F64]: 'f64',
};

function toIr(value: Value): IrValue {
  if (value.type === 'i64' || value.type === 'f64') return BigInt.asIntN(64, value.bits);
  return Number(BigInt.asIntN(32, value.bits));
}

function fromIr(value: IrValue, type: ValueType): Value {
  return { type, bits: typeof value === 'bigint' ? BigInt.asUintN(64, value) : BigInt(value >>> 0) };
}

export class InterpExecutor implements Executor {
  readonly name = 'interp';
  private store = new Store();
  private registered = new Map<string, ReadonlyMap<string, Extern>>();

  reset(): void {
    this.store = new Store();
    this.store.maxDepth = 2_000;
    this.registered = new Map();
    this.register('spectest', this.instantiate(spectestModule()));
  }

  instantiate(bytes: Uint8Array): Instance {
    const module = frontend(bytes, { name: 'm' });
    const instance = new IrInstance(this.store, module, (m, n) => this.registered.get(m)?.get(n));
    this.store.fuel = FUEL;
    try {
      initialise(instance);
    } catch (error) {
      throw error instanceof Trap ? new InstantiationTrap(error.message) : error;
    }
    return instance;
  }

  register(name: string, instance: Instance): void {
    this.registered.set(name, (instance as IrInstance).exports);
  }

  invoke(instance: Instance, field: string, args: readonly Value[]): Outcome {
    const found = (instance as IrInstance).exports.get(field);
    if (found?.kind !== 'func') throw new DiagnosticError('W603', `no exported function "${field}"`);
    this.store.fuel = FUEL;
    try {
      const results = invoke(this.store, found.func, args.map(toIr));
      const types = resultTypes(found.func.signature);
      return { kind: 'values', values: results.map((v, i) => fromIr(v, types[i]!)) };
    } catch (error) {
      if (error instanceof Trap) return { kind: 'trap', message: error.message };
      if (error instanceof OutOfFuel) return { kind: 'trap', message: 'out of fuel' };
      throw error;
    }
  }

  get(instance: Instance, field: string): Value {
    const found = (instance as IrInstance).exports.get(field);
    if (found?.kind !== 'global') throw new DiagnosticError('W603', `no exported global "${field}"`);
    const { type, refType, value } = found.global;
    return fromIr(value, refType ?? TYPE_OF[type]!);
  }
}

/** Wasm types of a signature's results: the IR knows references only as i32, its canonical text knows them. */
export function resultTypes(signature: Signature): ValueType[] {
  const [, results = ''] = signatureText(signature).split(':');
  return [...results].map((letter) => TYPE_OF_LETTER[letter]!);
}

// Runs generated modules on Node's own WebAssembly: the reference of the differential fuzzer.
/// <reference lib="dom" />
import {
  hashMemory,
  type FuzzCall,
  type FuzzEngine,
  type FuzzOutcome,
  type InstantiationFailure,
  type Observation,
} from './engine.js';
import { F32, F64, I64, type GeneratedModule, type NumType } from './generate.js';

const view = new DataView(new ArrayBuffer(8));

function toJs(bits: bigint, type: NumType): number | bigint {
  if (type === I64) return BigInt.asIntN(64, bits);
  if (type === F64) {
    view.setBigUint64(0, bits);
    return view.getFloat64(0);
  }
  if (type === F32) {
    view.setUint32(0, Number(bits));
    return view.getFloat32(0);
  }
  return Number(BigInt.asIntN(32, bits));
}

function toBits(value: number | bigint, type: NumType): bigint {
  if (type === I64) return BigInt.asUintN(64, value as bigint);
  if (type === F64) {
    view.setFloat64(0, value as number);
    return Number.isNaN(value) ? 0x7ff8000000000000n : view.getBigUint64(0);
  }
  if (type === F32) {
    view.setFloat32(0, value as number);
    return Number.isNaN(value) ? 0x7fc00000n : BigInt(view.getUint32(0));
  }
  return BigInt.asUintN(32, BigInt(value));
}

function trapClass(error: unknown): string {
  if (error instanceof RangeError) return 'exhausted';
  if (!(error instanceof WebAssembly.RuntimeError)) throw error;
  const { message } = error;
  if (message.includes('unreachable')) return 'unreachable';
  if (message.includes('by zero')) return 'divide by zero';
  if (message.includes('unrepresentable')) return 'unrepresentable';
  if (message.includes('signature mismatch')) return 'signature';
  if (message.includes('table') || message.includes('element segment')) return 'table';
  if (message.includes('memory') || message.includes('data segment')) return 'memory';
  throw new Error(`unknown trap: ${message}`);
}

export class NodeEngine implements FuzzEngine {
  readonly name: string = 'node';

  protected instantiate(compiled: WebAssembly.Module): WebAssembly.Instance {
    return new WebAssembly.Instance(compiled);
  }

  run(module: GeneratedModule, calls: readonly FuzzCall[]): Observation | InstantiationFailure {
    let instance: WebAssembly.Instance;
    const compiled = new WebAssembly.Module(module.bytes as BufferSource);
    try {
      instance = this.instantiate(compiled);
    } catch (error) {
      return { instantiation: trapClass(error) };
    }
    const { exports } = instance;
    const outcomes: FuzzOutcome[] = [];
    for (const { func, args } of calls) {
      const type = module.functions[func]!;
      try {
        const call = exports[`f${func}`] as (...a: unknown[]) => unknown;
        const result = call(...args.map((bits, i) => toJs(bits, type.params[i]!)));
        const list = (type.results.length === 0 ? [] : type.results.length === 1 ? [result] : result) as (
          number | bigint
        )[];
        outcomes.push({ results: list.map((v, i) => toBits(v, type.results[i]!)) });
      } catch (error) {
        const trap = trapClass(error);
        outcomes.push({ trap });
        if (trap === 'exhausted') break;
      }
    }
    return {
      outcomes,
      globals: module.globals.map((type, i) => toBits((exports[`g${i}`] as WebAssembly.Global).value as number, type)),
      memories: Array.from({ length: module.memories }, (_, i) =>
        hashMemory(new Uint8Array((exports[`m${i}`] as WebAssembly.Memory).buffer)),
      ),
    };
  }
}

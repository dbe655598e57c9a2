// Takes a module, calls and engines; gives the first difference between any engine and the first. Knows no engine.
import type { FuzzCall, FuzzEngine, FuzzOutcome, InstantiationFailure, Observation } from './engine.js';
import { F32, F64, I32, type GeneratedModule } from './generate.js';
import { Random } from './random.js';

/** Calls for a module: each function twice, with arguments near the edges. */
export function callsFor(module: GeneratedModule): FuzzCall[] {
  const random = new Random(module.seed ^ 0x5eed);
  const order = module.functions.map((_, i) => i);
  return [...order, ...order].map((func) => ({
    func,
    args: module.functions[func]!.params.map((type) => {
      if (type === I32) return BigInt.asUintN(32, BigInt(random.interestingI32()));
      if (type === F32) return BigInt(random.interestingF32Bits());
      if (type === F64) return random.interestingF64Bits();
      return BigInt.asUintN(64, random.interestingI64());
    }),
  }));
}

const show = (o: FuzzOutcome | undefined): string =>
  o === undefined
    ? 'nothing'
    : 'trap' in o
      ? `trap ${o.trap}`
      : o.results.map((b) => `0x${b.toString(16)}`).join(' ') || 'ok';

/** Undefined if equal; exhaustion ends the comparison, since engines have different stacks. */
function difference(a: Observation | InstantiationFailure, b: Observation | InstantiationFailure): string | undefined {
  if ('instantiation' in a || 'instantiation' in b) {
    const [x, y] = [a, b].map((o) => ('instantiation' in o ? o.instantiation : 'ok'));
    return x === y ? undefined : `instantiation: ${x} against ${y}`;
  }
  const n = Math.max(a.outcomes.length, b.outcomes.length);
  for (let i = 0; i < n; i++) {
    const [x, y] = [a.outcomes[i], b.outcomes[i]];
    const exhausted = [x, y].some((o) => o === undefined || ('trap' in o && o.trap === 'exhausted'));
    if (exhausted) return undefined;
    if (show(x) !== show(y)) return `call ${i}: ${show(x)} against ${show(y)}`;
  }
  for (let i = 0; i < a.globals.length; i++) {
    if (a.globals[i] !== b.globals[i])
      return `global ${i}: 0x${a.globals[i]!.toString(16)} against 0x${b.globals[i]!.toString(16)}`;
  }
  for (let i = 0; i < a.memories.length; i++) {
    if (a.memories[i] !== b.memories[i]) return `memory ${i}: ${a.memories[i]} against ${b.memories[i]}`;
  }
  return undefined;
}

/** First difference of any engine against `engines[0]`, with the engine's name; a crash of an engine is one. */
export function compareEngines(
  module: GeneratedModule,
  calls: readonly FuzzCall[],
  engines: readonly FuzzEngine[],
): { readonly engine: string; readonly text: string } | undefined {
  const reference = engines[0]!.run(module, calls);
  for (const engine of engines.slice(1)) {
    let text: string | undefined;
    try {
      text = difference(reference, engine.run(module, calls));
    } catch (error) {
      text = `crash: ${(error as Error).stack ?? String(error)}`;
    }
    if (text !== undefined) return { engine: engine.name, text };
  }
  return undefined;
}

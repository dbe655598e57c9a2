// Holds a manifest against the modules it names: exports and imports before they are compiled, memories and stacks after
// they are linked. Refuses to know descriptors.
import { STACK_RESERVE_BYTES } from '../compiler/abi/linker-symbols.js';
import { ARGUMENT_BUFFER_WORDS, REGISTER_ARGUMENTS, REGISTER_RESULTS } from '../compiler/abi/layout.js';
import { THINGSPIRE_MODULE, THINGSPIRE_SIGNATURES } from '../compiler/abi/os-imports.js';
import { OS_ARGUMENT_WORDS, OS_FRAME_BYTES } from '../compiler/abi/os-layout.js';
import { signatureText } from '../compiler/abi/signature-id.js';
import { WASI_MODULE, WASI_SIGNATURES } from '../compiler/abi/wasi.js';
import type { FuncDecl, IrModule } from '../compiler/ir/module.js';
import type { LinkedModule } from '../linker/linked.js';
import type { MemoryDecision } from '../linker/memory-plan.js';
import { stackDepths } from '../linker/stack-depth.js';
import { EVENT_EXPORTS } from './descriptors.js';
import type { ModuleFacts } from './descriptors.js';
import type { Findings } from './findings.js';
import type { ModuleModel } from './model.js';

const HANDLER_SIGNATURE = 'iiii:i';
/** What modules may import, by Wasm module: functions with their signatures. */
const INTERFACES: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map([
  [THINGSPIRE_MODULE, THINGSPIRE_SIGNATURES],
  [WASI_MODULE, WASI_SIGNATURES],
]);
/** Run at a start, if they are there. */
const START_EXPORTS = ['_initialize', '_start'] as const;

/** Checks exports and imports of one module; gives what its descriptor needs to know. */
export function checkModule(model: ModuleModel, ir: IrModule, findings: Findings): ModuleFacts {
  const functions = new Map<string, string>();
  for (const { kind, name, index } of ir.exports)
    if (kind === 'func') functions.set(name, signatureText(ir.funcs[index]!.signature));
  for (const { handler, pointer } of model.provides) {
    const signature = functions.get(handler);
    const where = `${pointer}/handler`;
    if (signature === undefined) findings.error('W803', where, `${model.wasm} exports no function "${handler}"`);
    else if (signature !== HANDLER_SIGNATURE)
      findings.error('W803', where, `"${handler}" is (${signature}); a handler is (${HANDLER_SIGNATURE})`);
  }
  const events = Object.entries({ ...EVENT_EXPORTS, _initialize: ':', _start: ':' });
  for (const [name, wanted] of events) {
    const signature = functions.get(name);
    if (signature !== undefined && signature !== wanted)
      findings.error('W803', model.pointer, `"${name}" of ${model.wasm} is (${signature}), not (${wanted})`);
  }
  for (const func of ir.funcs) checkFunction(model, func, findings);
  for (const list of [ir.memories, ir.tables, ir.globals])
    for (const { import: wanted } of list)
      if (wanted !== null)
        findings.error(
          'W803',
          model.pointer,
          `${model.wasm} imports "${wanted.module}"."${wanted.name}": a module shares nothing`,
        );
  return { exports: new Set(functions.keys()), hasMemory: ir.memories.length > 0 };
}

function checkFunction({ wasm, pointer }: ModuleModel, func: FuncDecl, findings: Findings): void {
  const { import: wanted, signature } = func;
  if (wanted !== null) {
    const { module, name } = wanted;
    const offered = INTERFACES.get(module)?.get(name);
    const is = signatureText(signature);
    if (offered === undefined)
      findings.error('W803', pointer, `${wasm} imports "${module}"."${name}", which the device OS does not have`);
    else if (offered !== is)
      findings.error('W803', pointer, `${wasm} imports "${module}"."${name}" as (${is}); it is (${offered})`);
  }
  // A context switch saves this much of the argument buffer.
  const words = (letters: string): number => letters.length + (letters.match(/[IF]/g)?.length ?? 0);
  const [params, results] = signatureText(signature).split(':') as [string, string];
  const buffer = Math.max(words(params) - REGISTER_ARGUMENTS, words(results) - REGISTER_RESULTS);
  if (buffer > Math.min(OS_ARGUMENT_WORDS, ARGUMENT_BUFFER_WORDS))
    findings.error(
      'W811',
      pointer,
      `function ${func.index} "${func.name}" of ${wasm} has more parameters or results than the device OS keeps`,
    );
}

/** Budgets that leave a memory less than it needs. */
export function checkMemories(
  models: readonly ModuleModel[],
  decisions: readonly MemoryDecision[],
  findings: Findings,
): void {
  for (const { name, wasm, memoryMax, pointer } of models) {
    if (memoryMax === null) continue;
    const decision = decisions.find(({ module, index }) => module === name && index === 0);
    if (decision?.reason !== 'limited') continue;
    const where = `${pointer}/memory/max`;
    if (decision.bytes === 0)
      findings.error(
        'W809',
        where,
        `${wasm} asks how many pages its memory has, so it needs at least one: 65536 bytes`,
      );
    else if (decision.bytes < decision.neededBytes)
      findings.error('W809', where, `data and stack of ${wasm} take ${decision.neededBytes} bytes of its memory`);
  }
}

/** Native bytes of stack that each entry of a module needs with the kernel's part; null where there is no bound. */
export interface StackNeed {
  readonly module: string;
  readonly entry: string;
  readonly bytes: number | null;
}

/** Stacks that are too small for what the kernel will call. */
export function checkStacks(
  models: readonly ModuleModel[],
  linked: readonly LinkedModule[],
  findings: Findings,
): StackNeed[] {
  const needs: StackNeed[] = [];
  const depths = stackDepths(linked, 0);
  for (const model of models) {
    const entries = new Set<string>([...Object.keys(EVENT_EXPORTS), ...START_EXPORTS]);
    for (const { handler } of model.provides) entries.add(handler);
    for (const { module, name, depth } of depths) {
      if (module !== model.name || !entries.has(name)) continue;
      const bytes = depth.bytes === null ? null : depth.bytes + OS_FRAME_BYTES + STACK_RESERVE_BYTES;
      needs.push({ module, entry: name, bytes });
      if (bytes !== null && bytes > model.stackBytes)
        findings.error('W808', `${model.pointer}/stack`, `"${name}" needs ${bytes} bytes, the kernel's included`);
    }
  }
  return needs;
}

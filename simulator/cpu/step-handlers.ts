// Single-step handlers of every instruction the core's configuration has: the templates spelled over the register
// arrays, and the hand-written ones. Takes a core and its runtime, gives one function per mnemonic.

import type { IsaFeature, InstructionRow } from '../../backend-xtensa/isa/types.js';
import { INSTRUCTIONS } from '../../backend-xtensa/isa/table.js';
import type { Memory } from '../bus/memory.js';
import { InternalError } from '../../compiler/diagnostics.js';
import type { Core } from './core.js';
import type { DecodedOp } from './decoded.js';
import { HANDLERS } from './handlers.js';
import { Runtime } from './runtime.js';
import { Cause } from './state.js';
import type { Emitter } from './templates.js';
import { TEMPLATES } from './templates.js';

export type StepHandler = (op: DecodedOp) => number;

/** Spells operands as reads of the register arrays through the decoded instruction `op`. */
class StepEmitter implements Emitter {
  readonly anyRounding = true;

  r(i: number): string {
    return `A[op.o${i}]`;
  }
  w(i: number): string {
    return `A[op.o${i}]`;
  }
  n(i: number): string {
    return `op.o${i}`;
  }
  sr(number: number): string {
    return `SR[${number}]`;
  }
  target(): string {
    return 'op.target';
  }
  load(bytes: 1 | 2 | 4, address: string, use: (value: string) => string): string {
    return `y = bus.load${bytes * 8}(${address}); ${use('y')}`;
  }
  store(bytes: 1 | 2 | 4, address: string, value: string, after = ''): string {
    return `bus.store${bytes * 8}(${address}, ${value}); ${after}`;
  }
  raiseIf(condition: string, cause: number): string {
    return `if (${condition}) bus.raise(${cause}, undefined);`;
  }
}

/**
 * @param features what the simulated configuration has; instructions of others raise an illegal instruction exception
 * @returns handlers by opcode
 */
export function makeStepHandlers(core: Core, memory: Memory, features: ReadonlySet<IsaFeature>): StepHandler[] {
  const runtime = new Runtime(core, memory, { bus: core.bus, core });
  const emitter = new StepEmitter();
  let source = 'let t = 0, u = 0, v = 0, y = 0;\nreturn {\n';
  for (const row of INSTRUCTIONS) {
    const plain = TEMPLATES.plain[row.name];
    const branch = TEMPLATES.branch[row.name];
    const guard = usesFloat(row) ? 'if (!core.floatEnabled) bus.raise(32, undefined); ' : '';
    if (plain !== undefined) source += `  '${row.name}'(op) { ${guard}${plain(emitter)} return op.next; },\n`;
    else if (branch !== undefined) {
      source += `  '${row.name}'(op) { return ${branch(emitter)} ? op.target : op.next; },\n`;
    }
  }
  const generated = runtime.evaluate(`${source}};`) as Record<string, StepHandler | undefined>;
  const illegal: StepHandler = () => core.bus.raise(Cause.ILLEGAL_INSTRUCTION, undefined);
  return INSTRUCTIONS.map((row) => {
    if (!features.has(row.feature)) return illegal;
    const own = generated[row.name];
    if (own !== undefined) return own;
    const handler = HANDLERS[row.name];
    if (handler === undefined) throw new InternalError(`the simulator has no semantics for ${row.name}`);
    return (op: DecodedOp) => handler(core, op);
  });
}

/** True for instructions of coprocessor 0. */
export function usesFloat(row: InstructionRow): boolean {
  return row.feature === 'fp' || row.feature === 'fpstep';
}

// What `compile --explain-checks` shows: every safety check of a module and what became of it. Takes what the passes and the
// backend tell, gives data and text. Decides nothing about checks.
import type { CompiledModule } from '../backend-xtensa/compile-module.js';
import type { StackCheck } from '../backend-xtensa/compiled.js';
import { TrapCode } from '../compiler/abi/traps.js';
import type { ExplainedCheck } from '../compiler/ir/check-log.js';
import type { IrModule } from '../compiler/ir/module.js';

/** What the passes say of one function. */
export interface CheckedFunction {
  readonly index: number;
  readonly checks: readonly ExplainedCheck[];
}

interface FunctionReport extends CheckedFunction {
  readonly name: string;
  /** Byte offset of the body in the .wasm file. */
  readonly offset: number;
  readonly stack: { readonly check: StackCheck; readonly frameBytes: number };
}

export interface CheckReport {
  readonly totals: {
    readonly checks: number;
    readonly kept: number;
    /** Of those kept, how many run before a loop instead of in it. */
    readonly hoisted: number;
    readonly merged: number;
    readonly dropped: number;
    /** Functions that compare their own frame with the stack limit, and those whose callers do it for them. */
    readonly stackOwn: number;
    readonly stackCallers: number;
  };
  readonly functions: readonly FunctionReport[];
  /** Functions without code of their own: inlined wherever they were called, or never called. */
  readonly gone: readonly { readonly index: number; readonly name: string }[];
}

export function reportChecks(
  ir: IrModule,
  compiled: CompiledModule,
  collected: readonly CheckedFunction[],
): CheckReport {
  const code = new Map(compiled.functions.filter(({ symbol }) => !symbol.includes('!thunk#')).map((f) => [f.index, f]));
  const functions = collected.map(({ index, checks }): FunctionReport => {
    const { name, bodyOffset } = ir.funcs[index]!;
    const { bytes, stackCheck } = code.get(index)!.frame;
    return { index, name, offset: bodyOffset, stack: { check: stackCheck, frameBytes: bytes }, checks };
  });
  const all = functions.flatMap(({ checks }) => checks);
  const count = (outcome: ExplainedCheck['outcome']): number => all.filter((check) => check.outcome === outcome).length;
  const stack = (who: StackCheck): number => functions.filter((func) => func.stack.check === who).length;
  return {
    totals: {
      checks: all.length,
      kept: count('kept'),
      hoisted: all.filter(({ hoisted }) => hoisted !== null).length,
      merged: count('merged'),
      dropped: count('dropped'),
      stackOwn: stack('own'),
      stackCallers: stack('callers'),
    },
    functions,
    gone: ir.funcs.filter((f) => f.import === null && !code.has(f.index)).map(({ index, name }) => ({ index, name })),
  };
}

const KINDS: Readonly<Record<number, string>> = {
  [TrapCode.MemoryOutOfBounds]: 'memory',
  [TrapCode.TableOutOfBounds]: 'table',
  [TrapCode.UndefinedElement]: 'call: table size',
  [TrapCode.UninitializedElement]: 'call: null',
  [TrapCode.IndirectCallTypeMismatch]: 'call: signature',
};
const REASONS: Readonly<Record<ExplainedCheck['reason'], string>> = {
  range: 'the address is never beyond the smallest memory',
  'constant address': 'constant address inside the smallest memory',
  'constant table entry': 'constant entry of a table that never changes',
  'never fails': 'the condition is constant',
  unreachable: 'never reached',
  'switched off': 'switched off (--cfi none)',
  'same check before': 'the same was checked before',
  covered: 'its bytes were checked before',
  grouped: 'one check for neighbouring accesses',
  'constant limit': 'compared with a constant',
  'current size': 'compared with the current size',
  'limit or grant': 'compared with a constant, then the grant table',
  signature: 'compared with the signature',
  hardware: 'by the hardware',
  'always fails': 'always fails',
  'runtime function': 'by a runtime function',
};
const STACK: Readonly<Record<StackCheck, string>> = {
  own: 'checked at entry',
  callers: 'checked by its callers',
  none: 'no check needed',
};

const hex = (offset: number): string => `0x${offset.toString(16)}`;

function formatCheck(check: ExplainedCheck): string {
  const { offset, code, extent, outcome, reason, into, hoisted, inlined } = check;
  const what = `${KINDS[code] ?? `code ${code}`}${extent === 0 ? '' : ` ${extent}`}`;
  const target = into !== null ? ` into ${hex(into)}` : hoisted !== null ? ` before the loop at ${hex(hoisted)}` : '';
  const from = inlined.map(({ func, call }) => ` (func ${func} inlined at ${hex(call)})`).join('');
  return `  ${hex(offset).padEnd(8)} ${what.padEnd(17)} ${outcome}${target}: ${REASONS[reason]}${from}\n`;
}

/** A line for each check, functions in index order, totals at the end. */
export function formatChecks({ functions, gone, totals }: CheckReport): string {
  let text = '';
  for (const { index, name, offset, stack, checks } of functions) {
    text += `func ${index} ${name} @${hex(offset)}: frame of ${stack.frameBytes} bytes, ${STACK[stack.check]}\n`;
    for (const check of checks) text += formatCheck(check);
  }
  for (const { index, name } of gone) text += `func ${index} ${name}: inlined or never called\n`;
  const { checks, kept, hoisted, merged, dropped, stackOwn, stackCallers } = totals;
  text += `${checks} checks: ${kept} kept (${hoisted} before a loop), ${merged} merged, ${dropped} dropped; `;
  return `${text}stack checked by ${stackOwn} functions, for ${stackCallers} by their callers\n`;
}

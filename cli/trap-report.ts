// Takes how an invocation ended, gives the text for people and the exit code. Refuses to know machines and commands.
import { BACKTRACE_FRAMES } from '../compiler/abi/layout.js';
import { TRAP_MESSAGES, TrapCode } from '../compiler/abi/traps.js';
import type { Ending, Frame } from './device.js';
import { ExitCode } from './exit-codes.js';

/** Exception causes of Xtensa, for machine exceptions. */
const CAUSES: Readonly<Record<number, string>> = {
  0: 'illegal instruction',
  2: 'instruction fetch error',
  3: 'load/store error',
  6: 'integer divide by zero',
  9: 'unaligned access',
  20: 'instruction fetch prohibited',
  28: 'load prohibited',
  29: 'store prohibited',
};

/** Name of a function of a module, or null. */
export type FunctionNames = (module: string, funcIndex: number) => string | null;

/** `trap: integer divide by zero` and the backtrace, innermost first; empty for a normal end. */
export function describeEnding(ending: Ending, names: FunctionNames): string {
  switch (ending.kind) {
    case 'trapped': {
      let text = `trap: ${TRAP_MESSAGES[ending.code] ?? `code ${ending.code}`}`;
      if (ending.code === TrapCode.MachineException) {
        const cause = CAUSES[ending.cause] ?? `cause ${ending.cause}`;
        text += ` (${cause} at pc ${hex32(ending.pc)}, address ${hex32(ending.address)})`;
      }
      return `${text}\n${describeBacktrace(ending.backtrace, names)}`;
    }
    case 'deadline':
      return `deadline expired\n${describeBacktrace(ending.backtrace, names)}`;
    case 'limit':
      return `stopped: ${ending.stop.message} at pc ${hex32(ending.stop.pc)}\n`;
    case 'stopped':
      return `stopped: reason ${ending.reason}\n`;
    default:
      return '';
  }
}

/** The same text as the firmware's report (firmware/core/report.c); the module is named when there are several. */
function describeBacktrace(frames: readonly Frame[], names: FunctionNames): string {
  const several = frames.some(({ module }) => module !== frames[0]!.module);
  const lines = frames.map(({ module, funcIndex, funcName, wasmOffset }, depth) => {
    const name = funcName ?? names(module, funcIndex);
    // $init and thunks have no index of their own.
    const func = funcIndex === 0xffffffff ? 'start-up' : `func ${funcIndex}${name === null ? '' : ` ${name}`}`;
    return `  #${depth} ${func} @0x${wasmOffset.toString(16)}${several ? ` in ${module}` : ''}\n`;
  });
  if (frames.length >= BACKTRACE_FRAMES) lines.push('  ...\n');
  return lines.join('');
}

/** proc_exit codes pass through, as on every other WASI host; a shell sees the low 8 bits. */
export function exitCodeOfEnding(ending: Ending): number {
  switch (ending.kind) {
    case 'returned':
      return ExitCode.Ok;
    case 'exited':
      return ending.code & 0xff;
    case 'trapped':
      return ExitCode.Trap;
    case 'deadline':
    case 'limit':
      return ExitCode.Limit;
    case 'stopped':
      return ExitCode.Internal;
  }
}

function hex32(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}

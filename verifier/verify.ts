// Takes the bytes of a linked ELF executable, says of every function of its modules whether its machine code keeps the
// sandbox's rules. The entry of the verifier. Trusts the runtime's own code; refuses to know the compiler.
import { CallGraph } from './call-graph.js';
import { decodeFunction, type Code, type Violation } from './code.js';
import { readElf } from './elf.js';
import { verifyFunction } from './function.js';
import { Image, type ModuleFunction } from './image.js';
import { ReferenceFlow } from './references.js';
import type { VerifyOptions } from './walk.js';

export type { Violation, VerifyOptions };

export interface FunctionVerdict {
  readonly module: string;
  readonly name: string;
  readonly address: number;
  /** Bytes of code. */
  readonly size: number;
  /** In address order; empty: proved. */
  readonly violations: readonly Violation[];
}

export interface Verdict {
  readonly ok: boolean;
  /** Faults of the image as a whole: objects that overlap, tables that contradict the symbols. */
  readonly faults: readonly string[];
  readonly functions: readonly FunctionVerdict[];
}

/**
 * Verifies every function of every module in a linked executable.
 * @param file for messages
 * @throws DiagnosticError W701 if it is no ELF executable with readable module tables
 */
export function verifyElf(bytes: Uint8Array, file: string, options: VerifyOptions): Verdict {
  return verifyImage(new Image(readElf(bytes, file), file), options);
}

export function verifyImage(image: Image, options: VerifyOptions): Verdict {
  const notes = new ReferenceFlow(image);
  const functions = [...image.functions.values()].sort((a, b) => a.start - b.start);
  const found = new Map<ModuleFunction, Violation[]>();
  const codes = new Map<ModuleFunction, Code>();
  for (const func of functions) {
    const code = decodeFunction(image, func);
    if (Array.isArray(code)) found.set(func, code);
    else codes.set(func, code as Code);
  }
  const calls = new CallGraph(image, codes);
  for (const func of calls.order) {
    const covered = calls.covered(func);
    const code = codes.get(func);
    if (code !== undefined) found.set(func, verifyFunction(image, code, notes, calls, options, covered));
  }
  for (const [func, violations] of notes.solve()) found.get(func)!.push(...violations);
  for (const { from, address, callee } of calls.shortCalls())
    found.get(from)!.push({ address, instruction: '', reason: `less stack is checked than ${callee.name} needs` });
  for (const address of notes.reached) {
    const func = image.functions.get(address)!;
    if (!calls.isAlone(func))
      found
        .get(func)!
        .push({ address, instruction: '', reason: 'references lead to it, but it leaves the stack to callers' });
  }
  const verdicts = functions.map((func): FunctionVerdict => {
    const violations = found.get(func)!.sort((a, b) => a.address - b.address);
    return { module: func.module.name, name: func.name, address: func.start, size: func.size, violations };
  });
  return {
    ok: image.faults.length === 0 && verdicts.every(({ violations }) => violations.length === 0),
    faults: image.faults,
    functions: verdicts,
  };
}

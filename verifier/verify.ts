// Takes the bytes of a linked ELF executable, says of every function of its modules whether its machine code keeps the
// sandbox's rules. The entry of the verifier. Trusts the runtime's own code; refuses to know the compiler.
import type { Violation } from './code.js';
import { readElf } from './elf.js';
import { verifyFunction } from './function.js';
import { Image } from './image.js';
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
  const found = functions.map((func) => verifyFunction(image, func, notes, options));
  const references = notes.solve();
  const verdicts = functions.map((func, i): FunctionVerdict => {
    const violations = [...found[i]!, ...(references.get(func) ?? [])].sort((a, b) => a.address - b.address);
    return { module: func.module.name, name: func.name, address: func.start, size: func.size, violations };
  });
  return {
    ok: image.faults.length === 0 && verdicts.every(({ violations }) => violations.length === 0),
    faults: image.faults,
    functions: verdicts,
  };
}

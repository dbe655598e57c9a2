// What the backend gives for one function and for one module, before it is written as an ELF object: bytes with
// relocations, sites for traps and backtraces, frame facts. Knows no ELF and no address.
import type { PReg } from './regalloc/api.js';

/**
 * A relocation in a section's bytes.
 * - `abs32`: 32-bit word = S + A (R_XTENSA_32)
 * - `slot0`: the PC-relative operand (CALL0, J, L32R, branch) of the instruction at `offset` reaches S + A (R_XTENSA_SLOT0_OP)
 */
export interface Relocation {
  readonly offset: number;
  readonly kind: 'abs32' | 'slot0';
  readonly symbol: string;
  readonly addend: number;
}

/** A place in code that the fault handler and the backtrace must recognise. */
export interface Site {
  /** Offset in the function's bytes: of the trapping instruction, or for calls of the return address. */
  readonly offset: number;
  /** TrapCode, or SITE_CALL. */
  readonly code: number;
  /** Byte offset in the .wasm file. */
  readonly wasmOffset: number;
  /** Calls that inlining replaced around it, innermost first; absent for the function's own code. */
  readonly inlined?: readonly InlinedCall[];
}

/** A call that a copy of its callee has replaced. */
export interface InlinedCall {
  /** Index of the function that was called. */
  readonly func: number;
  /** Byte offset of the call in the .wasm file. */
  readonly callOffset: number;
}

/** Who compares a function's frame with the stack limit; nobody where it has none, or a leaf's fits the reserve below. */
export type StackCheck = 'own' | 'callers' | 'none';

export interface FrameInfo {
  /** Stack bytes of the frame, a multiple of 16. */
  readonly bytes: number;
  /**
   * Code bytes from the entry on before the prologue, all of them without a frame; -1 if the return address stays in a0
   * throughout. Else it is at SP, from the prologue on.
   */
  readonly start: number;
  readonly stackCheck: StackCheck;
  /** Worst-case stack for C callees and thunks below this frame, known per libcall; callees for the call graph. */
  readonly directCallees: readonly string[];
  readonly hasIndirectCalls: boolean;
}

/** What a direct caller may rely on. */
export interface CalleeFacts {
  /** Stack bytes below the caller's frame that nobody has checked: the caller's check has to cover them. */
  readonly uncheckedBytes: number;
  /** Registers that the function, or what it calls, may destroy. */
  readonly clobbers: readonly PReg[];
}

/** One function: [literals..., signature word?] code. `entry` is 4-aligned. */
export interface CompiledFunction {
  readonly index: number;
  readonly name: string;
  /** Linker symbol. */
  readonly symbol: string;
  readonly bytes: Uint8Array;
  /** Offset of the first instruction in `bytes`; the signature word, if any, is at entry - 4. */
  readonly entry: number;
  readonly relocations: readonly Relocation[];
  readonly sites: readonly Site[];
  /** (code offset, wasm byte offset) pairs in code order, for listings and debug lines. */
  readonly lines: readonly (readonly [number, number])[];
  readonly frame: FrameInfo;
  readonly asCallee: CalleeFacts;
  /** Local data-in-code ranges (literals, jump tables) as [start, end) offsets, for disassembly and the verifier. */
  readonly dataRanges: readonly (readonly [number, number])[];
}

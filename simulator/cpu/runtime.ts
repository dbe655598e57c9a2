// What generated code can name: the typed arrays of one core and memory, and the arithmetic helpers. Takes a core, gives
// functions compiled against it. Knows no instruction.

import type { Memory } from '../bus/memory.js';
import type { Core } from './core.js';
import * as float from './float.js';
import * as steps from './float-steps.js';
import { clampSigned, funnelRight, mulSignedHigh, mulUnsignedHigh, normalizeSigned } from './integer.js';

/** An unaligned halfword or word of the backing store; the caller has checked that it lies in one mapped page. */
function unalignedLoad(bytes: Uint8Array): (offset: number, size: number) => number {
  return (offset, size) => {
    const low = (bytes[offset] as number) | ((bytes[offset + 1] as number) << 8);
    if (size === 2) return low;
    return low | ((bytes[offset + 2] as number) << 16) | ((bytes[offset + 3] as number) << 24);
  };
}

function unalignedStore(bytes: Uint8Array): (offset: number, value: number, size: number) => void {
  return (offset, value, size) => {
    bytes[offset] = value;
    bytes[offset + 1] = value >>> 8;
    if (size === 4) {
      bytes[offset + 2] = value >>> 16;
      bytes[offset + 3] = value >>> 24;
    }
  };
}

export class Runtime {
  private readonly names: string[];
  private readonly values: unknown[];

  /**
   * @param extra further names that the generated code uses
   */
  constructor(core: Core, memory: Memory, extra: Readonly<Record<string, unknown>> = {}) {
    const { state } = core;
    const scope: Record<string, unknown> = {
      A: state.a,
      SR: state.sr,
      F: state.fr,
      FB: state.frBits,
      COUNTS: state.counts,
      LOAD_WORD: memory.loadWord,
      LOAD_NARROW: memory.loadNarrow,
      STORE_WORD: memory.storeWord,
      STORE_NARROW: memory.storeNarrow,
      M8: memory.bytes,
      M16: memory.halves,
      M32: memory.words,
      rounding: core.rounding,
      unalignedLoad: unalignedLoad(memory.bytes),
      unalignedStore: unalignedStore(memory.bytes),
      mulUnsignedHigh,
      mulSignedHigh,
      normalizeSigned,
      clampSigned,
      funnelRight,
      ...float,
      ...steps,
      ...extra,
    };
    this.names = Object.keys(scope);
    this.values = Object.values(scope);
  }

  /** Evaluates a function body that sees the scope's names. */
  evaluate(body: string): unknown {
    const factory = new Function(...this.names, `'use strict';\n${body}`) as (...values: unknown[]) => unknown;
    return factory(...this.values);
  }
}

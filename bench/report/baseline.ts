// The checked-in counts of the product's column: writing them, and finding regressions. Counts depend on the Wasm that
// clang makes, so each one holds only for the module it was taken from. Takes results and data; knows no file.
import type { BenchResult } from '../measure-all.js';

export interface BaselineEntry {
  /** First 16 hexadecimal digits of the SHA-256 of the Wasm module. */
  readonly wasm: string;
  readonly instructions: number;
  readonly cycles: number;
  readonly codeBytes: number;
}
export type Baseline = Readonly<Record<string, BaselineEntry>>;

/** More than this share above the baseline fails. */
export const TOLERANCE = 0.02;
export const PRODUCT = 'wasm-aot';

export interface Comparison {
  /** Something to say about each program whose counts moved. */
  readonly changes: readonly string[];
  readonly regressions: readonly string[];
  /** Programs whose module is not the one the baseline was made from, or that it does not have. */
  readonly skipped: readonly string[];
  readonly compared: number;
}

export function makeBaseline(result: BenchResult, previous: Baseline = {}): Baseline {
  const entries = new Map(Object.entries(previous));
  for (const { name, wasmHash, measurements } of result.programs) {
    const measured = measurements[PRODUCT];
    if (measured === undefined) continue;
    const { instructions, cycles, codeBytes } = measured;
    entries.set(name, { wasm: wasmHash, instructions, cycles, codeBytes });
  }
  return Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function compareBaseline(result: BenchResult, baseline: Baseline): Comparison {
  const changes: string[] = [];
  const regressions: string[] = [];
  const skipped: string[] = [];
  let compared = 0;
  for (const { name, wasmHash, measurements } of result.programs) {
    const old = baseline[name];
    const now = measurements[PRODUCT];
    if (old === undefined || old.wasm !== wasmHash) {
      skipped.push(name);
      continue;
    }
    compared++;
    if (now === undefined) {
      regressions.push(`${name}: no measurement`);
      continue;
    }
    const change = now.instructions / old.instructions - 1;
    const text = `${name}: ${old.instructions} -> ${now.instructions} instructions (${percent(change)}), code ${old.codeBytes} -> ${now.codeBytes} bytes`;
    if (now.instructions - old.instructions > TOLERANCE * old.instructions) regressions.push(text);
    else if (now.instructions !== old.instructions || now.codeBytes !== old.codeBytes) changes.push(text);
  }
  return { changes, regressions, skipped, compared };
}

function percent(change: number): string {
  return `${change >= 0 ? '+' : ''}${(100 * change).toFixed(2)} %`;
}

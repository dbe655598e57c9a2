// Takes programs and columns; gives every measurement, checked against the checksum of the host. A column that cannot be
// made says why and leaves a hole; a wrong checksum is a failure, never a number.
import type { BenchProgram } from './programs.js';
import type { Column, Measurement } from './rivals/column.js';
import { expectedChecksum } from './rivals/sources.js';
import { MissingTool } from './rivals/tools.js';
import { buildWasm } from './rivals/wasm.js';

export interface ProgramResult {
  readonly name: string;
  readonly title: string;
  readonly group: string;
  /** Contents of the Wasm code section. */
  readonly wasmCodeBytes: number;
  /** First 16 hexadecimal digits of the SHA-256 of the Wasm module. */
  readonly wasmHash: string;
  readonly measurements: Readonly<Record<string, Measurement>>;
}

export interface BenchResult {
  readonly programs: readonly ProgramResult[];
  /** Column id -> what has to be installed. */
  readonly missing: Readonly<Record<string, string>>;
  /** What went wrong: "program, column: message". */
  readonly failures: readonly string[];
}

/** @throws MissingTool when not even the Wasm modules can be built */
export function measureAll(
  programs: readonly BenchProgram[],
  columns: readonly Column[],
  onProgress: (text: string) => void = () => {},
): BenchResult {
  const missing: Record<string, string> = {};
  const failures: string[] = [];
  const results = programs.map((program): ProgramResult => {
    const expected = expectedChecksum(program);
    const wasm = buildWasm(program);
    const measurements: Record<string, Measurement> = {};
    for (const column of columns) {
      onProgress(`${program.name}, ${column.title}`);
      try {
        const measured = column.measure(program);
        if (measured.checksum === expected) measurements[column.id] = measured;
        else failures.push(`${program.name}, ${column.title}: checksum ${measured.checksum}, expected ${expected}`);
      } catch (error) {
        if (error instanceof MissingTool) missing[column.id] = error.message;
        else failures.push(`${program.name}, ${column.title}: ${summary(error as Error)}`);
      }
    }
    const { name, title, group } = program;
    return { name, title, group, wasmCodeBytes: wasm.codeSectionBytes, wasmHash: wasm.hash, measurements };
  });
  return { programs: results, missing, failures };
}

/** The command is the first line of a tool's failure; the first complaint below it says enough. */
function summary({ message }: Error): string {
  const [first = '', ...rest] = message.split('\n').map((line) => line.slice(0, 160));
  const complaint = rest.find((line) => /error|cannot|undefined|overflow/i.test(line));
  return complaint === undefined ? first : `${first.split(' ')[0]}: ${complaint.trim()}`;
}

export function geometricMean(values: readonly number[]): number {
  return values.length === 0 ? NaN : Math.exp(values.reduce((sum, x) => sum + Math.log(x), 0) / values.length);
}

/** Ratios of `id` to `base` for the programs that have both. */
export function ratios(
  results: readonly ProgramResult[],
  id: string,
  value: (m: Measurement, program: ProgramResult) => number,
  base: (program: ProgramResult) => number | undefined,
): number[] {
  return results.flatMap((program) => {
    const measured = program.measurements[id];
    const reference = base(program);
    return measured === undefined || reference === undefined ? [] : [value(measured, program) / reference];
  });
}

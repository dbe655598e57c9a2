// Takes measurements; gives text tables, one per figure, with ratios and geometric means. Knows no tool and no file.
import type { BenchResult, ProgramResult } from '../measure-all.js';
import { geometricMean, ratios } from '../measure-all.js';
import type { Column, Measurement } from '../rivals/column.js';

/** A figure of the bench, and what it is divided by. */
export interface Metric {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  readonly value: (measured: Measurement) => number;
  /** What figures are divided by; a program without a reference has no ratio. Null: figures are shown as they are. */
  readonly reference: ((program: ProgramResult) => number | undefined) | null;
  readonly referenceTitle: string;
}

const BASE_COLUMN = 'llvm';
const native =
  (value: (m: Measurement) => number) =>
  (program: ProgramResult): number | undefined => {
    const base = program.measurements[BASE_COLUMN];
    return base === undefined ? undefined : value(base);
  };

function againstNative(id: string, title: string, unit: string, value: (m: Measurement) => number): Metric {
  return { id, title, unit, value, reference: native(value), referenceTitle: 'native LLVM 22' };
}

function absolute(id: string, title: string, unit: string, value: (m: Measurement) => number): Metric {
  return { id, title, unit, value, reference: null, referenceTitle: '' };
}

export const METRICS: readonly Metric[] = [
  againstNative('instructions', 'Instructions executed', 'instructions', (m) => m.instructions),
  againstNative('cycles', "Cycles of the simulator's timing model", 'cycles', (m) => m.cycles),
  {
    id: 'code',
    title: 'Code with literals',
    unit: 'bytes',
    value: (m) => m.codeBytes,
    reference: (program) => program.wasmCodeBytes,
    referenceTitle: 'the Wasm code section',
  },
  absolute('ram', 'RAM: static data, linear memory, deepest stack', 'bytes', (m) => m.ramBytes),
  absolute(
    'compile',
    'CPU time to compile (best of several for wasm-aot, one process each for the others)',
    'ms',
    (m) => m.compileMs,
  ),
];

/** One program a row. With a reference: its absolute figure, then every column's ratio to it; without: plain figures. */
export function formatTable(metric: Metric, result: BenchResult, columns: readonly Column[]): string {
  const { reference } = metric;
  const titles = columns.map(({ title }) => title);
  if (reference === null) {
    const rows = result.programs.map((program) => [
      program.name,
      ...columns.map(({ id }) => {
        const measured = program.measurements[id];
        return measured === undefined ? '-' : absoluteText(metric.value(measured));
      }),
    ]);
    const means = columns.map(({ id }) => {
      const all = result.programs.flatMap(({ measurements }) => measurements[id] ?? []).map(metric.value);
      return all.length === 0 ? '-' : absoluteText(geometricMean(all));
    });
    return `${metric.title}: ${metric.unit}\n${align([['program', ...titles], ...rows, ['geometric mean', ...means]])}\n`;
  }
  const rows = result.programs.map((program) => {
    const base = reference(program);
    const cells = columns.map(({ id }) => {
      const measured = program.measurements[id];
      return measured === undefined || base === undefined ? '-' : (metric.value(measured) / base).toFixed(2);
    });
    return [program.name, base === undefined ? '-' : absoluteText(base), ...cells];
  });
  const means = columns.map(({ id }) => {
    const all = ratios(result.programs, id, metric.value, reference);
    return all.length === 0 ? '-' : geometricMean(all).toFixed(2);
  });
  const title = `${metric.title}: ${metric.unit} of ${metric.referenceTitle}, the others as a multiple of it`;
  return `${title}\n${align([['program', metric.unit, ...titles], ...rows, ['geometric mean', '', ...means]])}\n`;
}

/** Instructions of whichever native compiler did better on this program. */
export function betterNative({ measurements }: ProgramResult): number | undefined {
  const natives = ['llvm', 'gcc'].flatMap((id) => measurements[id]?.instructions ?? []);
  return natives.length === 0 ? undefined : Math.min(...natives);
}

/** What the tables do not say: the product against whichever native compiler did better, and compile speed. */
export function formatSummary(result: BenchResult, product: string): string {
  const lines: string[] = [];
  const against = ratios(result.programs, product, (m) => m.instructions, betterNative);
  if (against.length > 0) {
    lines.push(`instructions against the better native of each program: ${geometricMean(against).toFixed(2)}`);
  }
  for (const id of [product, 'wasm2c-gcc', 'wasm2c-llvm']) {
    const speed = compileSpeed(result, id);
    if (speed !== undefined) lines.push(`${id} compiles ${speed.toFixed(1)} KB of Wasm code per second of CPU time`);
  }
  return lines.join('\n');
}

function compileSpeed({ programs }: BenchResult, id: string): number | undefined {
  const measured = programs.filter(({ measurements }) => measurements[id] !== undefined);
  if (measured.length === 0) return undefined;
  const bytes = measured.reduce((sum, { wasmCodeBytes }) => sum + wasmCodeBytes, 0);
  const milliseconds = measured.reduce((sum, { measurements }) => sum + (measurements[id]?.compileMs ?? 0), 0);
  return bytes / milliseconds;
}

function absoluteText(value: number): string {
  return value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en-US');
}

function align(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] as readonly string[]).map((_, i) =>
    Math.max(...rows.map((row) => (row[i] as string).length)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] as number) : cell.padStart(widths[i] as number)))
        .join('  ')
        .trimEnd(),
    )
    .map((line, i) => (i === 0 || i === rows.length - 2 ? `${line}\n${'-'.repeat(line.length)}` : line))
    .join('\n');
}

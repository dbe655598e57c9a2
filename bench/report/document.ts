// The generated parts of docs/performance.md: Markdown between markers. Takes measurements and the old text; gives the new
// text. What stands outside the markers is written by people and kept.
import type { BenchResult, ProgramResult } from '../measure-all.js';
import { geometricMean } from '../measure-all.js';
import type { Measurement } from '../rivals/column.js';
import { PRODUCT } from './baseline.js';
import { betterNative, formatSummary } from './table.js';

type Cell = (program: ProgramResult) => number | undefined;

function relative(id: string, value: (m: Measurement) => number, base: Cell): Cell {
  return (program) => {
    const measured = program.measurements[id];
    const reference = base(program);
    return measured === undefined || reference === undefined ? undefined : value(measured) / reference;
  };
}

const instructions = (m: Measurement): number => m.instructions;
const cycles = (m: Measurement): number => m.cycles;
const nativeOf =
  (value: (m: Measurement) => number): Cell =>
  ({ measurements }) =>
    measurements['llvm'] === undefined ? undefined : value(measurements['llvm']);

const COLUMNS: readonly (readonly [string, Cell])[] = [
  ['**wasm-aot**', relative(PRODUCT, instructions, nativeOf(instructions))],
  ['cycles (model)', relative(PRODUCT, cycles, nativeOf(cycles))],
  ['to the better native', relative(PRODUCT, instructions, betterNative)],
  ['native gcc', relative('gcc', instructions, nativeOf(instructions))],
  ['wasm2c, LLVM', relative('wasm2c-llvm', instructions, nativeOf(instructions))],
  ['wasm2c, gcc', relative('wasm2c-gcc', instructions, nativeOf(instructions))],
  [
    'code / Wasm code',
    relative(
      PRODUCT,
      (m) => m.codeBytes,
      ({ wasmCodeBytes }) => wasmCodeBytes,
    ),
  ],
];

/** Every program against native code, as a Markdown table. */
export function formatResults(result: BenchResult): string {
  const text = (value: number | undefined): string =>
    value === undefined || Number.isNaN(value) ? '-' : value.toFixed(2);
  const rows = result.programs.map((program) => {
    const native = nativeOf(instructions)(program);
    const cells = COLUMNS.map(([, cell]) => text(cell(program)));
    return `| ${program.name} | ${native?.toLocaleString('en-US') ?? '-'} | ${cells.join(' | ')} |`;
  });
  const means = COLUMNS.map(([, cell]) => text(geometricMean(result.programs.flatMap((p) => cell(p) ?? []))));
  const header = COLUMNS.map(([title]) => title);
  return [
    `| program | native LLVM 22, instructions | ${header.join(' | ')} |`,
    `|---|--:|${COLUMNS.map(() => '--:|').join('')}`,
    ...rows,
    `| **geometric mean** | | ${means.map((mean) => `**${mean}**`).join(' | ')} |`,
    '',
    ...formatSummary(result, PRODUCT)
      .split('\n')
      .map((line) => `- ${line}`),
  ].join('\n');
}

/** Replaces the named sections. @throws Error when the text lacks a pair of markers */
export function updateDocument(text: string, sections: Readonly<Record<string, string>>): string {
  return Object.entries(sections).reduce((old, [name, content]) => replaceSection(old, name, content), text);
}

function replaceSection(text: string, name: string, content: string): string {
  const [begin, end] = [`<!-- ${name}: generated -->`, `<!-- ${name}: end -->`];
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`no ${begin} ... ${end} in the document`);
  return `${text.slice(0, from + begin.length)}\n\n${content}\n\n${text.slice(to)}`;
}

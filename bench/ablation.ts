// What passes and checks cost and buy: wasm-aot with one optimisation left out, at other levels, with more or fewer control
// flow checks, each against wasm-aot as it is by default. Takes programs; gives tables. Knows the passes by name only.
import { BACKEND_OPTIMISATIONS, type CompileOptions } from '../backend-xtensa/compile-module.js';
import { PASSES } from '../compiler/passes/pipeline.js';
import { geometricMean, measureAll } from './measure-all.js';
import type { BenchProgram } from './programs.js';
import type { Measurement } from './rivals/column.js';
import { productColumn } from './rivals/product-column.js';

export interface Variant {
  readonly title: string;
  readonly compile: CompileOptions;
}

/** Geometric means over the programs: figure of the variant / figure of the default. */
export interface VariantResult {
  readonly title: string;
  readonly instructions: number;
  readonly cycles: number;
  readonly code: number;
  /** The program with the largest ratio of instructions. */
  readonly worst: string;
  readonly worstRatio: number;
  readonly failures: readonly string[];
}

/** Runs of one pass at different places of the pipeline count as one: "gvn" stands for "gvn" and "gvn-lowered". */
export function optimisations(): Map<string, readonly string[]> {
  const groups = new Map<string, string[]>();
  for (const { name, levels } of PASSES) {
    if (levels === undefined) continue;
    const base = PASSES.find((other) => name.startsWith(`${other.name}-`))?.name ?? name;
    groups.set(base, [...(groups.get(base) ?? []), name]);
  }
  for (const name of BACKEND_OPTIMISATIONS) groups.set(name, [name]);
  return groups;
}

/** One variant per optimisation, and one without any. */
export function passVariants(): Variant[] {
  const groups = [...optimisations()];
  const all: [string, readonly string[]] = ['(any of them)', groups.flatMap(([, names]) => names)];
  return [...groups, all].map(([title, names]) => ({ title, compile: { without: new Set(names) } }));
}

/** Levels and control flow checks. */
export const OPTION_VARIANTS: readonly Variant[] = [
  { title: '-O0', compile: { level: '0' } },
  { title: '-O1', compile: { level: '1' } },
  { title: '-Os', compile: { level: 's' } },
  { title: '--cfi full', compile: { cfi: 'full' } },
  { title: '--cfi none (unsafe)', compile: { cfi: 'none' } },
];

export function compareVariants(
  programs: readonly BenchProgram[],
  variants: readonly Variant[],
  onProgress: (text: string) => void,
): VariantResult[] {
  const base = productColumn('default', 'default', {});
  const columns = variants.map(({ title, compile }) => productColumn(title, title, compile));
  const { programs: results, failures } = measureAll(programs, [base, ...columns], onProgress);
  return variants.map(({ title }): VariantResult => {
    const ratios = (value: (m: Measurement) => number): [string, number][] =>
      results.flatMap(({ name, measurements }): [string, number][] => {
        const [normal, varied] = [measurements['default'], measurements[title]];
        return normal === undefined || varied === undefined ? [] : [[name, value(varied) / value(normal)]];
      });
    const mean = (value: (m: Measurement) => number): number => geometricMean(ratios(value).map(([, ratio]) => ratio));
    const [worst, worstRatio] = ratios((m) => m.instructions).reduce((a, b) => (b[1] > a[1] ? b : a), ['-', 0]);
    return {
      title,
      instructions: mean((m) => m.instructions),
      cycles: mean((m) => m.cycles),
      code: mean((m) => m.codeBytes),
      worst,
      worstRatio,
      failures: failures.filter((failure) => failure.includes(`, ${title}: `)),
    };
  });
}

/** As a Markdown table. */
export function formatVariants(heading: string, results: readonly VariantResult[]): string {
  const rows = results.map(({ title, instructions, cycles, code, worst, worstRatio }) => {
    const means = [instructions, cycles, code].map((mean) => mean.toFixed(3));
    return `| ${title} | ${means.join(' | ')} | ${worst} ${worstRatio.toFixed(2)} |`;
  });
  return [`| ${heading} | instructions | cycles | code bytes | highest |`, '|---|--:|--:|--:|---|', ...rows].join('\n');
}

// What each optimisation pass buys: wasm-aot with one pass left out at a time, against wasm-aot with all. Takes programs;
// gives a table. Knows the passes by name only.
import type { CompileOptions } from '../backend-xtensa/compile-module.js';
import { PASSES } from '../compiler/passes/pipeline.js';
import { geometricMean, measureAll } from './measure-all.js';
import type { BenchProgram } from './programs.js';
import type { Measurement } from './rivals/column.js';
import { productColumn } from './rivals/product-column.js';

export interface Ablation {
  readonly pass: string;
  /** Geometric means over the programs, with everything else on: figure without the pass / figure with it. */
  readonly instructions: number;
  readonly cycles: number;
  readonly code: number;
  /** The program that misses the pass most. */
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
  return groups;
}

export function ablate(
  programs: readonly BenchProgram[],
  compile: CompileOptions,
  onProgress: (text: string) => void,
): Ablation[] {
  const groups: [string, readonly string[]][] = [...optimisations()];
  groups.push(['(all of them)', groups.flatMap(([, names]) => names)]);
  const columns = groups.map(([pass, names]) => productColumn(pass, pass, { ...compile, without: new Set(names) }));
  const base = productColumn('all', 'all', compile);
  const { programs: results, failures } = measureAll(programs, [base, ...columns], onProgress);
  return groups.map(([pass]): Ablation => {
    const ratio = (value: (m: Measurement) => number): [string, number][] =>
      results.flatMap(({ name, measurements }): [string, number][] => {
        const [full, less] = [measurements['all'], measurements[pass]];
        return full === undefined || less === undefined ? [] : [[name, value(less) / value(full)]];
      });
    const mean = (value: (m: Measurement) => number): number => geometricMean(ratio(value).map(([, r]) => r));
    const [worst, worstRatio] = ratio((m) => m.instructions).reduce((a, b) => (b[1] > a[1] ? b : a), ['-', 0]);
    return {
      pass,
      instructions: mean((m) => m.instructions),
      cycles: mean((m) => m.cycles),
      code: mean((m) => m.codeBytes),
      worst,
      worstRatio,
      failures: failures.filter((failure) => failure.includes(`, ${pass}: `)),
    };
  });
}

/** As a Markdown table. */
export function formatAblations(ablations: readonly Ablation[]): string {
  const rows = ablations.map(
    ({ pass, instructions, cycles, code, worst, worstRatio }) =>
      `| ${pass} | ${instructions.toFixed(3)} | ${cycles.toFixed(3)} | ${code.toFixed(3)} | ${worst} ${worstRatio.toFixed(2)} |`,
  );
  return ['| without | instructions | cycles | code bytes | hit hardest |', '|---|--:|--:|--:|---|', ...rows].join(
    '\n',
  );
}

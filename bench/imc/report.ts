// Takes figures and footprints of the device OS; gives tables, a baseline to check in, and what got worse than that by
// more than the tolerance. Knows no file and no measuring.
import { TOLERANCE } from '../report/baseline.js';
import type { Footprint, PartFootprint } from './footprint.js';
import { LIMITS } from './footprint.js';
import type { Figure } from './measure.js';

export interface ImcResult {
  readonly figures: readonly Figure[];
  /** With everything: slots, cryptography, drivers. */
  readonly footprint: Footprint;
  readonly clockHz: number;
}

/** Figure -> instructions and cycles; part of the firmware -> bytes. */
export interface ImcBaseline {
  readonly figures: Readonly<Record<string, { readonly instructions: number; readonly cycles: number | null }>>;
  readonly bytes: Readonly<Record<string, number>>;
}

const sum = (parts: readonly PartFootprint[]): PartFootprint =>
  parts.reduce((a, b) => ({ ...a, code: a.code + b.code, rodata: a.rodata + b.rodata, ram: a.ram + b.ram }), {
    part: 'kernel',
    code: 0,
    rodata: 0,
    ram: 0,
  });

/** Bytes by what they are, for the baseline. */
function totals({ kernel, libraries, perModule }: Footprint): Record<string, number> {
  const { code, rodata, ram } = sum(kernel);
  const all = sum(libraries);
  return {
    'kernel code': code + rodata,
    'kernel RAM': ram,
    'library code': all.code + all.rodata,
    'RAM of each module': perModule,
  };
}

export function makeImcBaseline({ figures, footprint }: ImcResult): ImcBaseline {
  return {
    figures: Object.fromEntries(
      figures
        .filter(({ sampled }) => sampled !== true)
        .map(({ id, instructions, cycles }) => [id, { instructions, cycles }] as const),
    ),
    bytes: totals(footprint),
  };
}

/** Lines about what got worse by more than the tolerance, or is gone. */
export function imcRegressions(result: ImcResult, baseline: ImcBaseline): string[] {
  const now = makeImcBaseline(result);
  const regressions: string[] = [];
  const compare = (what: string, before: number, after: number | undefined, unit: string): void => {
    if (after === undefined) regressions.push(`${what}: no measurement`);
    else if (after > before * (1 + TOLERANCE)) regressions.push(`${what}: ${before} -> ${after} ${unit}`);
  };
  for (const [id, before] of Object.entries(baseline.figures))
    compare(id, before.instructions, now.figures[id]?.instructions, 'instructions');
  for (const [name, before] of Object.entries(baseline.bytes)) compare(name, before, now.bytes[name], 'bytes');
  return regressions;
}

const number = (value: number): string => value.toLocaleString('en');

/** Markdown, as in docs/os.md. */
export function formatImc({ figures, footprint, clockHz }: ImcResult): string {
  const microseconds = (cycles: number): string =>
    ((1e6 * cycles) / clockHz).toLocaleString('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });
  const times = (cycles: number | null): string =>
    cycles === null ? ' | ' : `${number(cycles)} | ${microseconds(cycles)}`;
  const row = ({ part, code, rodata, ram }: PartFootprint): string =>
    `| ${part} | ${number(code)} | ${number(rodata)} | ${number(ram)} |`;
  const { code, rodata, ram } = sum(footprint.kernel);
  return [
    `| what | instructions | cycles | us at ${clockHz / 1e6} MHz |`,
    '|---|---:|---:|---:|',
    ...figures.map(({ title, instructions, cycles }) => `| ${title} | ${number(instructions)} | ${times(cycles)} |`),
    '',
    '| part of the firmware, everything linked | code | constants | RAM |',
    '|---|---:|---:|---:|',
    ...footprint.kernel.map(row),
    `| **kernel** | **${number(code)}** | **${number(rodata)}** | **${number(ram)}** |`,
    `| goal | ${number(LIMITS.code)} | | ${number(LIMITS.ram)} |`,
    ...footprint.libraries.map(row),
    '',
    `Each module takes ${number(footprint.perModule)} bytes of the kernel's RAM (goal: at most ${LIMITS.perModule}).`,
  ].join('\n');
}

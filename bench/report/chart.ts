// Takes measurements; gives an SVG: instructions against native code on a logarithmic axis, one row per program. Knows no
// file.
import type { BenchResult } from '../measure-all.js';
import { geometricMean, ratios } from '../measure-all.js';
import type { Metric } from './table.js';

interface Series {
  readonly id: string;
  readonly title: string;
  readonly color: string;
}

const SERIES: readonly Series[] = [
  { id: 'wasm2c-gcc', title: 'wasm2c, lx106 gcc', color: '#c3c9d1' },
  { id: 'wasm2c-llvm', title: 'wasm2c, LLVM 22', color: '#8d99a8' },
  { id: 'gcc', title: 'native, lx106 gcc', color: '#e0a458' },
  { id: 'wasm-aot', title: 'wasm-aot, all checks on', color: '#c2185b' },
];

const ROW = 22;
const LEFT = 130;
const PLOT = 560;
const TOP = 78;
const AXIS_LOW = 0.5;
const AXIS_HIGH = 16;
const TICKS = [0.5, 1, 2, 4, 8, 16];

function x(ratio: number): number {
  const clamped = Math.min(Math.max(ratio, AXIS_LOW), AXIS_HIGH);
  return LEFT + (Math.log(clamped / AXIS_LOW) / Math.log(AXIS_HIGH / AXIS_LOW)) * PLOT;
}

/** Series that nothing was measured of are left out. */
export function chart(result: BenchResult, metric: Metric): string {
  const baseOf = metric.reference ?? ((): undefined => undefined);
  const means = new Map(
    SERIES.map(({ id }) => [id, geometricMean(ratios(result.programs, id, metric.value, baseOf))] as const),
  );
  const series = SERIES.filter(({ id }) => !Number.isNaN(means.get(id)));
  const rows = [...result.programs.map(({ name }) => name), 'geometric mean'];
  const bottom = TOP + rows.length * ROW;
  const width = LEFT + PLOT + 30;
  const out = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${bottom + 34}" font-family="system-ui, sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    `<text x="16" y="22" font-size="15" font-weight="600">${metric.title}, as a multiple of ${metric.referenceTitle}</text>`,
  ];
  series.toReversed().forEach(({ title, color }, i) => {
    const at = LEFT + i * 150;
    out.push(`<circle cx="${at}" cy="46" r="5" fill="${color}"/><text x="${at + 10}" y="50">${title}</text>`);
  });
  for (const tick of TICKS) {
    const weight = tick === 1 ? 'stroke="#333333"' : 'stroke="#dddddd"';
    out.push(`<line x1="${x(tick)}" x2="${x(tick)}" y1="${TOP - 8}" y2="${bottom}" ${weight}/>`);
    out.push(`<text x="${x(tick)}" y="${bottom + 18}" text-anchor="middle">${tick}×</text>`);
  }
  rows.forEach((name, row) => {
    const y = TOP + row * ROW + ROW / 2;
    const program = result.programs[row];
    const weight = program === undefined ? ' font-weight="600"' : '';
    out.push(`<text x="${LEFT - 12}" y="${y + 4}" text-anchor="end"${weight}>${name}</text>`);
    for (const { id, title, color } of series) {
      const measured = program?.measurements[id];
      const reference = program === undefined ? 1 : baseOf(program);
      const value = program === undefined ? means.get(id) : measured && metric.value(measured);
      if (value === undefined || reference === undefined) continue;
      const ratio = value / reference;
      const label = `${name}, ${title}: ${ratio.toFixed(2)}`;
      out.push(`<circle cx="${x(ratio).toFixed(1)}" cy="${y}" r="5" fill="${color}"><title>${label}</title></circle>`);
    }
  });
  return `${out.join('\n')}\n</svg>\n`;
}

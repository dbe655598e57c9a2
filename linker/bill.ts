// Takes a linked image (or a layout that failed), gives the bill: what takes how much of flash and RAM, the stack that
// exports need, and for what does not fit the largest contributors. Refuses to know how it is displayed in colour.
import type { BoardDescription } from '../compiler/abi/boards.js';
import { DiagnosticError } from '../compiler/diagnostics.js';
import type { Layout } from './layout.js';
import type { LinkedImage, LinkedMemory, RegionUse } from './linked.js';
import type { InputObject, InputSection, SectionKind } from './object.js';
import { stackDepths } from './stack-depth.js';
import type { ExportDepth } from './stack-depth.js';

/** Bytes of one module, or of the runtime, by what they are. */
export interface BillRow {
  readonly name: string;
  readonly code: number;
  readonly rodata: number;
  readonly data: number;
  readonly bss: number;
  /** Linear memories with their growth capacity. */
  readonly memory: number;
}

export interface Bill {
  readonly board: string;
  /** Bytes of the image file. */
  readonly imageBytes: number;
  readonly rows: readonly BillRow[];
  readonly regions: readonly RegionUse[];
  readonly memories: readonly LinkedMemory[];
  readonly stackBytes: number;
  readonly exports: readonly ExportDepth[];
  readonly veneers: number;
}

const COLUMN: Readonly<Record<SectionKind, 'code' | 'rodata' | 'data' | 'bss' | 'memory'>> = {
  vectors: 'code',
  code: 'code',
  rodata: 'rodata',
  modules: 'rodata',
  data: 'data',
  bss: 'bss',
  memory: 'memory',
};

/** @param imageBytes length of the flash image */
export function makeBill(image: LinkedImage, imageBytes: number): Bill {
  const rows = new Map<string, Record<'code' | 'rodata' | 'data' | 'bss' | 'memory', number>>();
  const row = (name: string): Record<'code' | 'rodata' | 'data' | 'bss' | 'memory', number> => {
    let found = rows.get(name);
    if (found === undefined) rows.set(name, (found = { code: 0, rodata: 0, data: 0, bss: 0, memory: 0 }));
    return found;
  };
  for (const section of image.sections) {
    const column = COLUMN[section.kind];
    if (column !== 'memory') row(section.origin === 'runtime' ? 'runtime' : section.object)[column] += section.size;
  }
  for (const { file, info } of image.modules)
    for (const memory of image.memories) if (memory.module === info.module) row(file).memory += memory.capacity;
  return {
    board: image.board.name,
    imageBytes,
    rows: [...rows].map(([name, bytes]) => ({ name, ...bytes })),
    regions: image.regions.filter((region) => region.used > 0 && region.name !== 'DRAM (loaded)'),
    memories: image.memories,
    stackBytes: image.stack === null ? 0 : image.stack.end - image.stack.base,
    exports: stackDepths(image.modules),
    veneers: image.veneers,
  };
}

/** The bill as text for people, without colours. */
export function formatBill(bill: Bill): string {
  const lines: string[] = [];
  const width = Math.max(8, ...bill.rows.map((row) => row.name.length));
  const cell = (value: number | string): string => String(value).padStart(9);
  lines.push(`${''.padEnd(width)}${['code', 'rodata', 'data', 'bss', 'memory'].map(cell).join('')}   (bytes)`);
  for (const { name, code, rodata, data, bss, memory } of bill.rows)
    lines.push(`${name.padEnd(width)}${[code, rodata, data, bss, memory].map(cell).join('')}`);
  lines.push('', ...regionLines(bill));
  for (const memory of bill.memories) lines.push(describeMemory(memory));
  if (bill.exports.length > 0) lines.push(`stack  ${bill.stackBytes} bytes; worst depth of exports:`);
  for (const { module, name, depth } of bill.exports)
    lines.push(
      `  ${module}.${name}: ${depth.bytes === null ? `not bounded (${depth.unbounded})` : `${depth.bytes} bytes`}`,
    );
  if (bill.veneers > 0) lines.push(`${bill.veneers} far calls go through veneers`);
  return `${lines.join('\n')}\n`;
}

/** What of each region and of the flash is used. */
export function regionLines({ regions, imageBytes }: Pick<Bill, 'regions' | 'imageBytes'>): string[] {
  const cell = (value: number): string => String(value).padStart(9);
  const lines = regions.map(({ name, base, size, used }) => {
    const percent = ((100 * used) / size).toFixed(1).padStart(5);
    return `${name.padEnd(6)} 0x${base.toString(16)}  ${cell(used)} of ${cell(size)}  ${percent} %`;
  });
  return [...lines, `image  ${imageBytes} bytes of flash`];
}

function describeMemory({ module, index, bytes, capacity, declaredBytes, growable }: LinkedMemory): string {
  const notes: string[] = [];
  if (bytes < declaredBytes)
    notes.push(`less than the ${declaredBytes} it declares: ${growable ? 'asked for' : 'trimmed, as it never grows'}`);
  if (growable) notes.push(capacity > bytes ? `can grow to ${capacity}` : 'has no room to grow');
  return `memory ${module} ${index}: ${bytes} bytes${notes.length > 0 ? ` (${notes.join('; ')})` : ''}`;
}

/** How many sections are named in a W403. */
const CONTRIBUTORS = 8;

/** W403 with what is missing where, and the largest contributors. */
export function doesNotFit(
  layout: Layout,
  objects: readonly InputObject[],
  live: ReadonlySet<InputSection>,
  board: BoardDescription,
  flashBytes: number,
): DiagnosticError {
  const lines: string[] = [];
  const over = new Set<string>();
  for (const region of layout.regions) {
    if (region.overflow === 0) continue;
    over.add(region.name);
    lines.push(`${region.name} needs ${region.used} bytes, ${region.overflow} more than the ${region.size} it has`);
  }
  if (flashBytes > board.flashBytes) lines.push(`flash needs ${flashBytes} bytes, the board has ${board.flashBytes}`);
  // What overflows a part of DRAM competes with all of DRAM.
  const competes = (name: string): boolean =>
    over.has(name) || (name.startsWith('DRAM') && (over.has('DRAM') || over.has('DRAM (loaded)')));
  const sizes: { readonly what: string; readonly bytes: number }[] = [];
  for (const section of live) {
    if (flashBytes <= board.flashBytes && !competes(layout.regionOf.get(section)!.name)) continue;
    sizes.push({ what: `${section.object.name} ${section.name}`, bytes: section.size });
  }
  sizes.sort((a, b) => b.bytes - a.bytes);
  lines.push(`largest of ${objects.length} objects' sections:`);
  for (const { what, bytes } of sizes.slice(0, CONTRIBUTORS)) lines.push(`  ${String(bytes).padStart(9)}  ${what}`);
  return new DiagnosticError('W403', lines.join('\n'));
}

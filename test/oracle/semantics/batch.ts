// A batch of random programs as one bare program that runs on QEMU's `sim` machine and in the simulator alike: each
// loads its registers from its own block of memory, runs, and stores them there; at the end all blocks are written out
// through SIMCALL. Takes seeds, gives memory contents; knows neither machine.

import { assemble } from '../../../backend-xtensa/isa/assemble.js';
import type { Choice } from '../../../simulator/fuzz/random-program.js';
import { DATA_REGISTER, Random, randomProgram } from '../../../simulator/fuzz/random-program.js';
import type { MemoryPart } from '../qemu/bare.js';
import { RESET_VECTOR } from '../qemu/bare.js';

export const CODE_BASE = 0x100000;
export const BLOCK_BASE = 0x400000;
/** Data that accesses may touch, registers before, registers after. */
export const BLOCK_BYTES = 512;
const BEFORE = 128;
const AFTER = 256;

const AR = [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];
const SPECIAL = ['sar', 'br', 'acclo', 'acchi'];
const ROUNDS = 3;

/**
 * What both machines know and do alike. Left out: MULUH/MULSH (not in that core), the division step instructions (QEMU
 * keeps only the result of whole sequences), and utrunc.s
 * (QEMU follows the old manual for negatives, not the silicon).
 */
export const COMPARABLE: Choice = (row) =>
  row.feature !== 'mul32high' && (row.feature !== 'fpstep' || row.name === 'const.s') && row.name !== 'utrunc.s';

/**
 * QEMU shifts by SAR modulo 32 in SRL and SRA behind SSL or SSA8B, where SAR may be 32 (the manual: all bits go). So a
 * program has one kind or the other.
 */
const RIGHT_SHIFTS = new Set(['srl', 'sra']);
const LEFT_AMOUNTS = new Set(['ssl', 'ssa8b']);
const choiceOf =
  (seed: number): Choice =>
  (row) =>
    COMPARABLE(row) && !(seed % 2 === 0 ? RIGHT_SHIFTS : LEFT_AMOUNTS).has(row.name);

/**
 * QEMU 7.2 loses a boolean register written before another one in the same translation block (seen with
 * `orb b3, b0, b14; orb b5, b0, b14; andb b0, b7, b7`: only the last one arrives), so blocks end behind each such write.
 */
const WRITES_BOOLEAN: Choice = (row) => row.operands.some((spec) => spec.kind === 'br' && spec.role !== 'use');

export interface Batch {
  readonly parts: readonly MemoryPart[];
  readonly count: number;
}

/** @param seeds one program each */
export function makeBatch(seeds: readonly number[]): Batch {
  const blocks = new Uint8Array(seeds.length * BLOCK_BYTES);
  const code: number[] = [];
  const append = (text: string, symbols: ReadonlyMap<string, number> = new Map()): void => {
    while (code.length % 4 !== 0) code.push(0);
    code.push(...assemble(text, { origin: CODE_BASE + code.length, symbols }).bytes);
  };
  seeds.forEach((seed, i) => {
    fillBlock(blocks.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES), seed);
    append(prologue(BLOCK_BASE + i * BLOCK_BYTES));
    const program = randomProgram(seed, CODE_BASE + code.length, ROUNDS, choiceOf(seed), true, WRITES_BOOLEAN);
    code.push(...program.bytes.subarray(0, program.end - (CODE_BASE + code.length)));
    code.push(...assemble(epilogue(), { origin: CODE_BASE + code.length }).bytes);
  });
  append(`
    j 1f
    .align 4
    block: .word ${BLOCK_BASE}
    size: .word ${blocks.length}
    1: movi a2, 4; movi a3, 1; l32r a4, block; l32r a5, size; simcall
    movi a2, 1; movi a3, 0; simcall; 2: j 2b`);
  const reset = assemble(`j 1f; .align 4; start: .word ${CODE_BASE}; 1: l32r a0, start; jx a0`, {
    origin: RESET_VECTOR,
  });
  return {
    parts: [
      { address: RESET_VECTOR, data: reset.bytes },
      { address: CODE_BASE, data: Uint8Array.from(code) },
      { address: BLOCK_BASE, data: blocks },
    ],
    count: seeds.length,
  };
}

/** Random data and register values; floats are never signalling NaNs, whose fate differs by design. */
function fillBlock(block: Uint8Array, seed: number): void {
  const random = new Random(seed ^ 0x5a5a5a);
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  for (let offset = 0; offset < BEFORE + 4 * (AR.length + 16 + 2); offset += 4)
    view.setInt32(offset, random.word(), true);
}

function prologue(block: number): string {
  const lines = [
    `j 1f; .align 4; data: .word ${block}; 1: movi a2, 0; wsr a2, ps; movi a2, 1; wsr a2, cpenable; rsync`,
  ];
  lines.push(`l32r a${DATA_REGISTER}, data`);
  AR.forEach((register, i) => lines.push(`l32i a${register}, a14, ${BEFORE + 4 * i}`));
  for (let i = 0; i < 16; i++) lines.push(`lsi f${i}, a14, ${BEFORE + 4 * (AR.length + i)}`);
  lines.push(`l32i a15, a14, ${BEFORE + 4 * (AR.length + 16)}; extui a15, a15, 0, 5; wsr a15, sar`);
  lines.push(`l32i a15, a14, ${BEFORE + 4 * (AR.length + 17)}; extui a15, a15, 0, 16; wsr a15, br`);
  lines.push('movi a15, 0; wsr a15, acclo; wsr a15, acchi; wsr a15, m0; wsr a15, m1; wsr a15, m2; wsr a15, m3; rsync');
  return lines.join('\n');
}

function epilogue(): string {
  const lines = AR.map((register, i) => `s32i a${register}, a14, ${AFTER + 4 * i}`);
  for (let i = 0; i < 16; i++) lines.push(`ssi f${i}, a14, ${AFTER + 4 * (AR.length + i)}`);
  SPECIAL.forEach((name, i) => lines.push(`rsr a15, ${name}; s32i a15, a14, ${AFTER + 4 * (AR.length + 16 + i)}`));
  // The next program begins on a word boundary; what lies before it is no code.
  lines.push('j 1f; .align 4; 1:');
  return lines.join('\n');
}

/** The words a program left behind, named, in a block. */
export function describeBlock(block: Uint8Array): string[] {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  const names = [...AR.map((r) => `a${r}`), ...Array.from({ length: 16 }, (_, i) => `f${i}`), ...SPECIAL];
  const word = (offset: number): string => view.getUint32(offset, true).toString(16).padStart(8, '0');
  const data = Array.from({ length: BEFORE / 4 }, (_, i) => `[${4 * i}] ${word(4 * i)}`);
  return [...data, ...names.map((name, i) => `${name} ${word(AFTER + 4 * i)}`)];
}

/** FNV-1a of what a program left behind. */
export function hashBlock(block: Uint8Array): string {
  let hash = 0x811c9dc5;
  for (const byte of block) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}

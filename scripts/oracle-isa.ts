// Proves the instruction table against outside tools: LLVM (llvm-mc, llvm-objdump) for nearly all rows, GNU as for
// some it does not know. Takes the table, writes test/oracle/isa/vectors.txt, which the tests check without any tool.
// Refuses to write when a tool disagrees with us.
//
//   npx tsx scripts/oracle-isa.ts
//
// Environment: LLVM_MC, LLVM_OBJDUMP, LLVM_OBJCOPY, XTENSA_AS, XTENSA_OBJDUMP name other binaries than llvm-mc-22,
// llvm-objdump-22, llvm-objcopy-22, xtensa-lx106-elf-as and xtensa-lx106-elf-objdump. XTENSA_ESP32_AS names a GNU as
// configured for ESP32 (Espressif's xtensa-esp32-elf-as, or Debian's with an ESP32 XTENSA_GNU_CONFIG): with it all rows
// are proved a second time; without it the rows that only it knows keep the vectors they have.

import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeWord } from '../backend-xtensa/isa/decode.js';
import { encode } from '../backend-xtensa/isa/encode.js';
import { formatInstruction } from '../backend-xtensa/isa/print.js';
import { parseInstruction } from '../backend-xtensa/isa/parse.js';
import { INSTRUCTIONS } from '../backend-xtensa/isa/table.js';
import type { FieldCodec, InstructionRow } from '../backend-xtensa/isa/types.js';
import { Tools, XTENSA_AS } from '../test/oracle/isa/tools.js';

const XTENSA_ESP32_AS = process.env['XTENSA_ESP32_AS'];
const VECTORS = resolve(fileURLToPath(import.meta.url), '../../test/oracle/isa/vectors.txt');
/** Where the listed code is said to lie: far enough from 0 for every backward target. */
const BASE = 0x40080000;
const SETS_PER_ROW = 64;

/** Rows `-mcpu=esp32` of LLVM 22 does not know, and who proves them instead. */
const NOT_IN_LLVM: ReadonlyMap<string, string> = new Map([
  ['simcall', 'GNU as, lx106'],
  ['ssa8b', 'GNU as, lx106'],
  ['l32ai', 'GNU as, esp32'],
  ['s32ri', 'GNU as, esp32'],
  ['rer', 'GNU as, esp32'],
  ['wer', 'GNU as, esp32'],
]);

/**
 * Rows whose operand llvm-objdump 22 lists wrongly though llvm-mc encodes it rightly: addmi prints 0 always, l32r takes
 * the offset for a signed one. GNU objdump lists them instead.
 */
const LISTED_BY_GNU: ReadonlySet<string> = new Set(['addmi', 'l32r']);

interface Sample {
  readonly row: InstructionRow;
  readonly pc: number;
  readonly word: number;
}

/** A small deterministic generator (mulberry32), so that vectors.txt only changes when the table does. */
function randomSource(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
}

function rawValues(field: FieldCodec): number[] {
  const width = field.spans.reduce((bits, [high, low]) => bits + high - low + 1, 0);
  const values: number[] = [];
  for (let raw = 0; raw < 1 << width; raw++) if (field.valid(raw)) values.push(raw);
  return values;
}

/** Raw operand sets: every value of small fields at least once, ends and signs of wide ones, the rest random. */
function operandSets(row: InstructionRow, random: () => number): number[][] {
  const choices = row.operands.map((operand) => rawValues(operand.field));
  const total = choices.reduce((product, values) => product * values.length, 1);
  const pick = (values: readonly number[]): number => values[random() % values.length] as number;
  const sets = new Map<string, number[]>();
  const add = (set: number[]): void => {
    sets.set(set.join(), set);
  };
  add(choices.map((values) => values[0] as number));
  add(choices.map((values) => values[values.length - 1] as number));
  choices.forEach((values, i) => {
    const n = values.length;
    const wanted = n <= 70 ? values : [0, 1, n / 2 - 1, n / 2, n - 2, n - 1].map((k) => values[k] as number);
    for (const value of wanted) add(choices.map((other, j) => (j === i ? value : pick(other))));
  });
  const goal = Math.min(SETS_PER_ROW, total);
  while (sets.size < goal) add(choices.map(pick));
  return [...sets.values()];
}

function samples(): Sample[] {
  const random = randomSource(1);
  const list: Sample[] = [];
  let pc = BASE;
  for (const row of INSTRUCTIONS) {
    for (const set of operandSets(row, random)) {
      const values = row.operands.map((operand, i) => operand.field.fromRaw(set[i] as number, pc));
      list.push({ row, pc, word: encode(row.opcode, values, pc) });
      pc += row.size;
    }
  }
  return list;
}

function bytesOf(list: readonly Sample[]): Uint8Array {
  const bytes: number[] = [];
  for (const { word, row } of list) for (let i = 0; i < row.size; i++) bytes.push((word >> (8 * i)) & 255);
  return Uint8Array.from(bytes);
}

/** `target` as `.+8`: what stands in vectors.txt, so that they do not depend on an address. */
function relative(text: string, pc: number): string {
  return text.replace(/0x([0-9a-f]+)$/, (_, digits: string) => {
    const distance = (parseInt(digits, 16) - pc) | 0;
    return distance < 0 ? `.${distance}` : `.+${distance}`;
  });
}

function generate(tools: Tools): void {
  const list = samples();
  const bytes = bytesOf(list);
  const theirs = tools.llvmDisassemble(bytes, BASE);
  const faults: string[] = [];
  const unknown = new Set<string>();
  const proved: { sample: Sample; text: string }[] = [];
  for (const sample of list) {
    const { row, pc, word } = sample;
    const ours = ourText(sample);
    if (LISTED_BY_GNU.has(row.name)) {
      theirs.set(pc, ours);
      proved.push({ sample, text: relative(ours, pc) });
      continue;
    }
    const text = theirs.get(pc) ?? 'nothing listed';
    if (text === '<unknown>') unknown.add(row.name);
    else if (text !== ours) faults.push(`${word.toString(16)}: llvm-objdump says ${text}, we say ${ours}`);
    else proved.push({ sample, text: relative(text, pc) });
  }
  for (const name of LISTED_BY_GNU) {
    const mine = list.filter(({ row }) => row.name === name);
    const listed = tools.gnuDisassemble(bytesOf(mine), mine[0]?.pc ?? 0);
    for (const { pc, word } of mine) {
      const [ours, gnu] = [decodeWord(word, pc), parseInstruction(listed.get(pc) ?? 'ill', { pc })];
      if (ours === undefined || formatInstruction(gnu, pc) !== formatInstruction(ours, pc)) {
        faults.push(`${word.toString(16)}: GNU objdump says ${listed.get(pc)}`);
      }
    }
  }
  if ([...unknown].sort().join() !== [...NOT_IN_LLVM.keys()].sort().join()) {
    faults.push(`rows unknown to LLVM: ${[...unknown].join()}, expected ${[...NOT_IN_LLVM.keys()].join()}`);
  }
  // The other direction: LLVM's assembler gets LLVM's text at the same addresses and must give our bytes.
  const source = list.map(({ row, pc, word }) => {
    const text = relative(theirs.get(pc) ?? '', pc);
    if (text !== '<unknown>') return text;
    return (
      '.byte ' +
      [0, 1, 2]
        .slice(0, row.size)
        .map((i) => (word >> (8 * i)) & 255)
        .join(', ')
    );
  });
  compareBytes('llvm-mc', list, bytes, tools.llvmAssemble(source.join('\n')), faults);
  const provedByGnu = (by: string): Sample[] => list.filter(({ row }) => NOT_IN_LLVM.get(row.name) === by);
  const lx106 = provedByGnu('GNU as, lx106');
  compareBytes('GNU as (lx106)', lx106, bytesOf(lx106), tools.gnuAssemble(XTENSA_AS, gnuText(lx106)), faults);
  if (XTENSA_ESP32_AS !== undefined) {
    compareBytes('GNU as (esp32)', list, bytes, tools.gnuAssemble(XTENSA_ESP32_AS, gnuText(list)), faults);
  }
  for (const sample of [...lx106, ...provedByGnu('GNU as, esp32')]) {
    proved.push({ sample, text: relative(ourText(sample), sample.pc) });
  }
  if (faults.length > 0) {
    console.error(faults.slice(0, 40).join('\n'));
    throw new Error(`${faults.length} disagreements`);
  }
  const text = vectorsText(proved);
  if (XTENSA_ESP32_AS === undefined) {
    // Nothing here proves these: they may stand only as they were proved before.
    const before = readFileSync(VECTORS, 'utf8');
    for (const [name, by] of NOT_IN_LLVM) {
      if (by === 'GNU as, esp32' && sectionOf(before, name) !== sectionOf(text, name)) {
        throw new Error(`the vectors of ${name} change: XTENSA_ESP32_AS is needed to prove them`);
      }
    }
  }
  writeFileSync(VECTORS, text);
  console.log(`${proved.length} vectors for ${new Set(proved.map(({ sample }) => sample.row.name)).size} rows`);
}

function ourText({ word, pc }: Sample): string {
  const decoded = decodeWord(word, pc);
  return decoded === undefined ? 'undefined' : formatInstruction(decoded, pc);
}

/** Our text as GNU as wants it: relative targets, and groups of booleans in full (`b4:b5:b6:b7`). */
function gnuText(list: readonly Sample[]): string {
  const lines = list.map((sample) => {
    const text = relative(ourText(sample), sample.pc);
    // GNU as refuses an extui that reads past bit 31 although the machine has it.
    const extract = /^extui .*, (\d+), (\d+)$/.exec(text);
    if (extract !== null && Number(extract[1]) + Number(extract[2]) > 32) {
      return '.byte ' + [0, 8, 16].map((shift) => (sample.word >> shift) & 255).join(', ');
    }
    const group = /^((?:any|all)([48]) b\d+, )b(\d+)$/.exec(text);
    if (group === null) return text;
    const first = Number(group[3]);
    return group[1] + Array.from({ length: Number(group[2]) }, (_, i) => `b${first + i}`).join(':');
  });
  return lines.join('\n');
}

/** The lines of one mnemonic in vectors.txt. */
function sectionOf(vectors: string, name: string): string | undefined {
  return new RegExp(`^${name} \\(.*\\)\n(?:[0-9a-f]{4}.*\n)*`, 'm').exec(vectors)?.[0];
}

function compareBytes(
  who: string,
  list: readonly Sample[],
  ours: Uint8Array,
  theirs: Uint8Array,
  faults: string[],
): void {
  if (ours.length !== theirs.length) faults.push(`${who} gives ${theirs.length} bytes, we ${ours.length}`);
  let offset = 0;
  for (const { row, word, pc } of list) {
    let other = 0;
    for (let i = row.size - 1; i >= 0; i--) other = (other << 8) | (theirs[offset + i] ?? 0);
    if (other !== word) {
      faults.push(`${who}: ${row.name} at ${pc.toString(16)}: ${other.toString(16)}, we say ${word.toString(16)}`);
    }
    offset += row.size;
  }
}

function vectorsText(proved: readonly { sample: Sample; text: string }[]): string {
  const lines = [
    '# Encodings proved by outside tools (scripts/oracle-isa.ts): a mnemonic, then `word[@pc mod 4] operands` a line.',
    '# The word is little-endian bytes read as a number. LLVM 22 -mcpu=esp32; GNU as (lx106) where it says so.',
  ];
  let current = '';
  for (const { sample, text } of proved) {
    const { row, word, pc } = sample;
    if (row.name !== current) {
      current = row.name;
      const by = NOT_IN_LLVM.get(current);
      lines.push(by === undefined ? current : `${current} (${by})`);
    }
    const digits = word.toString(16).padStart(row.size * 2, '0');
    const at = row.operands.some((operand) => operand.kind === 'pcrel') ? `@${pc & 3}` : '';
    lines.push(`${digits}${at} ${text.slice(row.name.length).trim()}`.trimEnd());
  }
  return lines.join('\n') + '\n';
}

const tools = new Tools();
try {
  generate(tools);
} finally {
  tools.close();
}

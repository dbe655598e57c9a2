// Compares the decoder with llvm-objdump on every 24-bit word (every 16-bit one for density): who knows it, and is the
// text the same? Takes nothing, prints each kind of difference; exits 1 on one that is not listed here with its reason.
// About three minutes.
//
//   npx tsx scripts/oracle-isa-exhaustive.ts

import { decodeWord, sizeAt } from '../backend-xtensa/isa/decode.js';
import { formatInstruction } from '../backend-xtensa/isa/print.js';
import { Tools } from '../test/oracle/isa/tools.js';

const BASE = 0x40080000;
/** Words per listing; bounds the memory a listing takes. */
const CHUNK = 1 << 17;

/** Known differences, `LLVM says, we say` by mnemonic, and why ours is right. */
const EXPECTED: ReadonlyMap<string, string> = new Map([
  ['<unknown>, simcall', 'LLVM does not know it; GNU as does'],
  ['<unknown>, ssa8b', 'LLVM does not know it; GNU as does'],
  ['<unknown>, rer', 'LLVM does not know it; GNU as for ESP32 does'],
  ['<unknown>, wer', 'LLVM does not know it; GNU as for ESP32 does'],
  ['<unknown>, l32ai', 'LLVM does not know it; GNU as for ESP32 does'],
  ['<unknown>, s32ri', 'LLVM does not know it; GNU as for ESP32 does'],
  ['addmi, addmi', 'llvm-objdump prints the immediate as 0; llvm-mc and GNU objdump agree with us'],
  ['l32r, l32r', 'llvm-objdump takes the offset for a signed one; llvm-mc and GNU objdump agree with us'],
  ['any4, <unknown>', 'the first of a group of four is a multiple of four'],
  ['all4, <unknown>', 'the first of a group of four is a multiple of four'],
  ['any8, <unknown>', 'the first of a group of eight is a multiple of eight'],
  ['all8, <unknown>', 'the first of a group of eight is a multiple of eight'],
  ['slli, <unknown>', 'the ISA reference defines shifts by 1..31; llvm-mc refuses 32 too'],
]);

const tools = new Tools();
const differences = new Map<string, { count: number; example: string }>();
let compared = 0;
try {
  for (let op0 = 0; op0 < 14; op0++) {
    const size = sizeAt(op0);
    const count = size === 2 ? 1 << 12 : 1 << 20;
    for (let start = 0; start < count; start += CHUNK) compareChunk(op0, size, start, Math.min(count, start + CHUNK));
  }
} finally {
  tools.close();
}
console.log(`${compared} words compared`);
for (const [kind, { count, example }] of differences) {
  const reason = EXPECTED.get(kind);
  console.log(`${count} of ${kind}, e.g. ${example}${reason === undefined ? '  UNEXPECTED' : `  (${reason})`}`);
  if (reason === undefined) process.exitCode = 1;
}

function compareChunk(op0: number, size: 2 | 3, start: number, end: number): void {
  // A label on every word, so that the listing starts afresh there and one unknown word does not shift the next.
  const lines: string[] = [];
  for (let rest = start; rest < end; rest++) {
    const word = (rest << 4) | op0;
    const bytes = [0, 8, 16].slice(0, size).map((shift) => (word >> shift) & 255);
    lines.push(`w${rest}: .byte ${bytes.join(',')}`);
  }
  const theirs = tools.llvmDisassembleText(lines.join('\n'), BASE);
  for (let rest = start; rest < end; rest++) {
    const word = (rest << 4) | op0;
    const pc = BASE + (rest - start) * size;
    const decoded = decodeWord(word, pc);
    const ours = decoded === undefined ? '<unknown>' : formatInstruction(decoded, pc);
    const text = theirs.get(pc) ?? 'nothing listed';
    compared++;
    if (text !== ours) note(text, ours, word);
  }
}

function note(theirs: string, ours: string, word: number): void {
  const kind = `${theirs.split(' ')[0]}, ${ours.split(' ')[0]}`;
  const entry = differences.get(kind);
  if (entry !== undefined) entry.count++;
  else differences.set(kind, { count: 1, example: `${word.toString(16)}: LLVM ${theirs}, we ${ours}` });
}

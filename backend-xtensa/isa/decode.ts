// Instruction words or bytes in, rows and operand values out. Refuses words no row matches and reserved operand bits
// by answering undefined; knows no symbols and no semantics.

import { INSTRUCTIONS } from './table.js';
import type { DecodedInstruction, InstructionRow } from './types.js';

/**
 * The decoding tree, flat. A node is 17 numbers: the position of the nibble it looks at, then for each nibble value
 * where to go: > 0 another node, 0 no instruction, < 0 the leaf -n in LEAVES. Built from the table, so it cannot
 * disagree with it.
 */
const TREE: number[] = [];
/** Candidate opcodes of each leaf; index 0 is unused. A leaf may hold several rows that split a nibble (srai/srli). */
const LEAVES: number[][] = [[]];

/** Nibble positions worth looking at; op0 comes first always. */
const POSITIONS = [4, 8, 12, 16, 20];

function build(rows: readonly InstructionRow[], position: number, rest: readonly number[]): number {
  const node = TREE.length;
  TREE.push(position, ...new Array<number>(16).fill(0));
  for (let value = 0; value < 16; value++) {
    const candidates = rows.filter((row) => (((value << position) ^ row.match) & row.mask & (15 << position)) === 0);
    if (candidates.length === 0) continue;
    const next = candidates.length > 1 ? bestPosition(candidates, rest) : undefined;
    if (next === undefined) {
      LEAVES.push(candidates.map((row) => row.opcode));
      TREE[node + 1 + value] = -(LEAVES.length - 1);
    } else {
      const child = build(
        candidates,
        next,
        rest.filter((other) => other !== next),
      );
      TREE[node + 1 + value] = child;
    }
  }
  return node;
}

/** The nibble whose value leaves the fewest candidates at worst, or undefined when none separates any. */
function bestPosition(rows: readonly InstructionRow[], positions: readonly number[]): number | undefined {
  let best: number | undefined;
  let bestWorst = rows.length;
  for (const position of positions) {
    let worst = 0;
    for (let value = 0; value < 16; value++) {
      let count = 0;
      for (const row of rows) {
        if ((((value << position) ^ row.match) & row.mask & (15 << position)) === 0) count++;
      }
      if (count > worst) worst = count;
    }
    if (worst < bestWorst) {
      best = position;
      bestWorst = worst;
    }
  }
  return best;
}

build(INSTRUCTIONS, 0, POSITIONS);
const NODES = Int32Array.from(TREE);

/**
 * The opcode whose fixed bits `word` has, or -1. Operand bits are not looked at: a reserved operand value still makes
 * the word no instruction, which decodeWord checks.
 */
export function opcodeOf(word: number): number {
  let node = 0;
  do {
    node = NODES[node + 1 + ((word >>> (NODES[node] as number)) & 15)] as number;
  } while (node > 0);
  const leaf = LEAVES[-node] as number[];
  for (let i = 0; i < leaf.length; i++) {
    const row = INSTRUCTIONS[leaf[i] as number] as InstructionRow;
    if ((word & row.mask) === row.match) return row.opcode;
  }
  return -1;
}

/**
 * Decodes one word. Of a 16-bit instruction only the low 16 bits count, so the caller may pass three bytes always.
 * @param pc address of the instruction: displacements of L32R and CALLn depend on its low two bits
 * @returns undefined when the word is no instruction of LX6
 */
export function decodeWord(word: number, pc: number): DecodedInstruction | undefined {
  const opcode = opcodeOf(word);
  if (opcode < 0) return undefined;
  const row = INSTRUCTIONS[opcode] as InstructionRow;
  const specs = row.operands;
  const operands: number[] = [];
  for (let i = 0; i < specs.length; i++) {
    const field = (specs[i] as (typeof specs)[number]).field;
    const raw = field.extract(word);
    if (!field.valid(raw)) return undefined;
    operands.push(field.fromRaw(raw, pc));
  }
  return { row, opcode, operands };
}

/** Size in bytes that the first byte of an instruction announces; words of op0 14 and 15 are no LX6 instructions. */
export function sizeAt(firstByte: number): 2 | 3 {
  const op0 = firstByte & 15;
  return op0 >= 8 && op0 <= 13 ? 2 : 3;
}

/**
 * Decodes the instruction at `bytes[offset]`.
 * @param pc the address that byte has when executed
 * @returns undefined when the bytes are no instruction or end within it
 */
export function decodeAt(bytes: Uint8Array, offset: number, pc: number): DecodedInstruction | undefined {
  const first = bytes[offset];
  if (first === undefined) return undefined;
  const size = sizeAt(first);
  if (offset + size > bytes.length) return undefined;
  const word = first | ((bytes[offset + 1] as number) << 8) | (size === 3 ? (bytes[offset + 2] as number) << 16 : 0);
  return decodeWord(word, pc);
}

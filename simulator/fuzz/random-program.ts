// Random but terminating programs of the instruction table's plain instructions, branches, calls and hardware loops, for
// comparing two ways of running them. Takes a seed and a choice of instructions, gives code bytes; knows no machine.

import { encode } from '../../backend-xtensa/isa/encode.js';
import { INSTRUCTIONS, Op } from '../../backend-xtensa/isa/table.js';
import type { InstructionRow, OperandSpec } from '../../backend-xtensa/isa/types.js';

/** A repeatable source of numbers (xorshift32). */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = Math.imul(seed, 0x9e3779b1) | 1;
    for (let i = 0; i < 4; i++) this.bits();
  }
  /** Unsigned 32 bits. */
  bits(): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x;
    return x >>> 0;
  }
  /** 0 <= result < limit. */
  below(limit: number): number {
    return this.bits() % limit;
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
  /** 32 bits with a taste for extremes and small numbers. */
  word(): number {
    switch (this.below(6)) {
      case 0:
        return this.pick([0, 1, -1, 0x7fffffff, -0x80000000, 0x80, 0xffff, 0x8000, 31, 32]);
      case 1:
        return this.below(256) - 128;
      case 2:
        return (1 << this.below(32)) - this.below(2);
      // Floats around 1, so that the FPU has something to do.
      case 3:
        return (0x3f800000 + ((this.below(32) - 16) << 23)) ^ (this.bits() & 0x807fffff);
      default:
        return this.bits() | 0;
    }
  }
}

/** Registers with a fixed job: a0 return, a1 stack, a14 data base, a15 outer loop counter. */
export const DATA_REGISTER = 14;
const COUNTER_REGISTER = 15;
const FREE_REGISTERS = [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];

/** Instructions a random program may use, besides those that build its control flow. */
export type Choice = (row: InstructionRow) => boolean;

const EXCLUDED = new Set(['l32e', 's32e', 'l32r', 'excw', 'extw']);

/** Plain instructions: no control transfer, no privileged state, and no memory access but base + offset. */
export function plainRows(choice: Choice): InstructionRow[] {
  return INSTRUCTIONS.filter(
    (row) =>
      row.flow === 'next' &&
      !row.privileged &&
      !EXCLUDED.has(row.name) &&
      !['userregister', 'externalregs', 'tlb', 'windowed', 's32c1i'].includes(row.feature) &&
      !(row.feature === 'mac16' && row.access !== undefined) &&
      !/^l[sd]\w*$|^ss\w*p?$|ldinc|lddec/.test(row.access === undefined ? '' : row.name.replace(/^lsi$|^ssi$/, '')) &&
      choice(row),
  );
}

/** Random operands; accesses go through the data register, other registers are free ones. */
export function randomOperands(row: InstructionRow, random: Random): number[] {
  const memory = row.access !== undefined;
  return row.operands.map((spec, i) => {
    if (memory && spec.kind === 'ar' && spec.name === 'as') return DATA_REGISTER;
    return randomOperand(spec, random, memory && i === 2 ? 4 * (row.access?.bytes ?? 4) : undefined);
  });
}

function randomOperand(spec: OperandSpec, random: Random, limit: number | undefined): number {
  switch (spec.kind) {
    case 'ar':
      return random.pick(FREE_REGISTERS);
    case 'fr':
    case 'br':
    case 'mr':
      for (;;) {
        const number = random.below(16);
        if (spec.field.fits(number, 0)) return number;
      }
    default:
      for (;;) {
        const low = spec.field.minimum(0);
        const high = limit === undefined ? spec.field.maximum(0) : Math.min(spec.field.maximum(0), limit);
        const value = low + random.below(high - low + 1);
        if (spec.field.fits(value, 0)) return value;
      }
  }
}

/** Instruction bytes at a growing address. */
class Code {
  readonly bytes: number[] = [];

  constructor(readonly origin: number) {}
  get pc(): number {
    return this.origin + this.bytes.length;
  }
  put(op: number, operands: readonly number[]): void {
    this.patch(this.bytes.length, op, operands, true);
  }
  patch(at: number, op: number, operands: readonly number[], append = false): void {
    const word = encode(op, operands, this.origin + at);
    const { size } = INSTRUCTIONS[op] as InstructionRow;
    for (let i = 0; i < size; i++) this.bytes[at + i] = (word >>> (8 * i)) & 255;
    if (append && this.bytes.length !== at + size) throw new Error('patch beyond the end');
  }
}

export interface RandomProgram {
  readonly bytes: Uint8Array;
  /** Address of the last instruction, where a run should stop. */
  readonly end: number;
  /** Mnemonics, for reports. */
  readonly rows: ReadonlySet<string>;
}

/**
 * A loop of `rounds` rounds over blocks of plain instructions; the blocks skip ahead by random branches, sit in hardware
 * loops, or call a leaf function. After instructions that `separate` names comes a jump to the next one.
 */
export function randomProgram(
  seed: number,
  origin: number,
  rounds: number,
  choice: Choice,
  loops: boolean,
  separate: Choice = () => false,
): RandomProgram {
  const random = new Random(seed);
  const rows = plainRows(choice);
  const branches = INSTRUCTIONS.filter((row) => row.flow === 'branch' && choice(row) && !row.name.endsWith('.n'));
  const code = new Code(origin);
  const used = new Set<string>();
  const plain = (count: number): void => {
    for (let i = 0; i < count; i++) {
      const row = random.pick(rows);
      used.add(row.name);
      const operands = randomOperands(row, random);
      // A zero divisor would raise an exception: skip the division then.
      if (row.feature === 'div32') code.put(Op.BEQZ, [operands[2] as number, 6]);
      code.put(row.opcode, operands);
      if (separate(row)) code.put(Op.J, [3]);
    }
  };
  const movi = (register: number, value: number): void => code.put(Op.MOVI, [register, value]);

  // A leaf function first, jumped over.
  const over = code.bytes.length;
  code.put(Op.J, [4]);
  while (code.pc % 4 !== 0) code.bytes.push(0);
  const leaf = code.pc;
  plain(1 + random.below(4));
  code.put(Op.RET, []);
  code.patch(over, Op.J, [code.pc - (origin + over)]);

  movi(COUNTER_REGISTER, rounds);
  const again = code.pc;
  // Some are longer than a translated region may be.
  for (let block = random.below(12) === 0 ? 120 : 3 + random.below(6); block > 0; block--) {
    const kind = random.below(loops ? 5 : 4);
    if (kind === 0) {
      while (code.pc % 4 !== 0) code.put(Op.NOP, []);
      code.put(Op.CALL0, [leaf - code.pc]);
    } else if (kind <= 2) {
      const row = random.pick(branches);
      const operands = randomOperands(row, random);
      const at = code.bytes.length;
      const target = row.operands.findIndex((spec) => spec.kind === 'pcrel');
      operands[target] = 8;
      code.put(row.opcode, operands);
      plain(1 + random.below(4));
      operands[target] = code.pc - (origin + at);
      code.patch(at, row.opcode, operands);
      used.add(row.name);
    } else if (kind === 3) {
      plain(1 + random.below(8));
    } else {
      movi(13, random.below(5));
      const row = random.pick([Op.LOOP, Op.LOOPNEZ, Op.LOOPGTZ]);
      if (row === Op.LOOP) movi(13, 1 + random.below(5));
      const at = code.bytes.length;
      code.put(row, [13, 8]);
      plain(1 + random.below(4));
      code.patch(at, row, [13, code.pc - (origin + at)]);
    }
  }
  code.put(Op.ADDI, [COUNTER_REGISTER, COUNTER_REGISTER, -1]);
  const exit = code.bytes.length;
  code.put(Op.BEQZ, [COUNTER_REGISTER, 8]);
  code.put(Op.J, [again - code.pc]);
  code.patch(exit, Op.BEQZ, [COUNTER_REGISTER, code.pc - (origin + exit)]);
  const end = code.pc;
  code.put(Op.NOP, []);
  code.put(Op.J, [0]);
  return { bytes: Uint8Array.from(code.bytes), end, rows: used };
}

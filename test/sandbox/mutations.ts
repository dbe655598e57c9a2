// Damages machine code in ways that a broken compiler or an attacker would, one at a time. Takes an image whose bytes it
// changes in place, gives mutations that can be applied and undone. Knows no verdicts.
import { decodeFunction, targetOf, type Code } from '../../verifier/code.js';
import type { WindowSite } from '../../verifier/windows.js';
import { windowDescriptor } from '../../compiler/abi/window.js';
import type { Image, ModuleFunction } from '../../verifier/image.js';
import { encode, operandFits } from '../../backend-xtensa/isa/encode.js';
import { formatInstruction } from '../../backend-xtensa/isa/print.js';
import { Op, rowOf } from '../../backend-xtensa/isa/table.js';
import type { DecodedInstruction } from '../../backend-xtensa/isa/types.js';

/** What is damaged. */
export type MutationKind =
  | 'check dropped'
  | 'check inverted'
  | 'check of other register'
  | 'limit raised'
  | 'stack check lowered'
  | 'access offset widened'
  | 'access through other register'
  | 'literal changed'
  | 'branch into an instruction'
  | 'branch out of the function'
  | 'call into a function'
  | 'call of unpublished code'
  | 'indirect call of other register'
  | 'privileged instruction'
  | 'return address not restored'
  | 'stack pointer not restored'
  | 'saved register not restored'
  | 'return dropped'
  | 'jump table entry changed'
  | 'window asked for with less'
  | 'window sequence changed'
  | 'window pointer in other register';

export interface Mutation {
  readonly kind: MutationKind;
  readonly func: ModuleFunction;
  readonly address: number;
  readonly before: string;
  readonly after: string;
  readonly bytes: Uint8Array;
}

const INVERSE: readonly (readonly [number, number])[] = [
  [Op.BLTU, Op.BGEU],
  [Op.BEQ, Op.BNE],
  [Op.BLT, Op.BGE],
  [Op.BLTUI, Op.BGEUI],
  [Op.BEQI, Op.BNEI],
  [Op.BLTI, Op.BGEI],
  [Op.BEQZ, Op.BNEZ],
  [Op.BEQZ_N, Op.BNEZ_N],
  [Op.BLTZ, Op.BGEZ],
];
const inverse = new Map(INVERSE.flatMap(([a, b]) => [[a, b] as const, [b, a] as const]));

/** System instructions that module code must never contain, with operands. */
const PRIVILEGED: readonly (readonly [number, readonly number[]])[] = [
  [Op.WSR, [2, 230]],
  [Op.WSR, [2, 231]],
  [Op.WSR, [2, 228]],
  [Op.WSR, [2, 1]],
  [Op.XSR, [2, 209]],
  [Op.RSR, [2, 230]],
  [Op.RSIL, [2, 0]],
  [Op.WAITI, [0]],
  [Op.RFE, []],
  [Op.RFI, [1]],
  [Op.SIMCALL, []],
  [Op.SYSCALL, []],
  [Op.WDTLB, [2, 3]],
  [Op.WER, [2, 3]],
  [Op.ENTRY, [1, 32]],
  [Op.WUR, [2, 232]],
  [Op.S32C1I, [2, 3, 0]],
];

class Mutator {
  readonly found: Mutation[] = [];

  constructor(
    private readonly image: Image,
    private readonly code: Code,
    private readonly outside: readonly number[],
  ) {}

  run(): void {
    const { instructions } = this.code;
    for (let i = 0; i < instructions.length; i++) {
      const inst = instructions[i]!;
      const site = this.code.windows.get(i);
      if (site !== undefined) {
        this.window(this.code.addresses[i]! >>> 0, site);
        continue;
      }
      if (this.isCheck(i)) this.check(i, inst);
      else if (inst.row.flow === 'branch' || inst.row.flow === 'jump') this.branch(i, inst);
      if (inst.row.access !== undefined && inst.opcode !== Op.L32R) this.access(i, inst);
      if (inst.opcode === Op.L32R) this.literal(i, inst);
      if (inst.row.flow === 'call') this.call(i, inst);
      if (inst.row.flow === 'callreg' || inst.row.flow === 'jumpreg')
        this.replace('indirect call of other register', i, inst.opcode, [inst.operands[0] === 3 ? 4 : 3]);
      if (inst.row.flow === 'return') this.put('return dropped', i, [inst.row.size === 2 ? Op.NOP_N : Op.NOP, []]);
      if (inst.row.size === 3 && i % 7 === 3) {
        const [op, operands] = PRIVILEGED[Math.floor(i / 7) % PRIVILEGED.length]!;
        this.replace('privileged instruction', i, op, operands);
      }
      this.restore(i, inst);
    }
    this.tables();
  }

  /** A branch to a trap, or over one, or to a jump to where a window is asked for. */
  private isCheck(i: number): boolean {
    const { instructions, windows } = this.code;
    if (instructions[i]!.row.flow !== 'branch') return false;
    const target = this.target(i);
    if (instructions[target]?.opcode === Op.J && windows.has(this.target(target))) return true;
    return instructions[target]?.opcode === Op.ILL_N || instructions[i + 1]?.opcode === Op.ILL_N;
  }

  /** Instruction that branch or jump i leads to, or -1. */
  private target(i: number): number {
    const { instructions, addresses, at, func } = this.code;
    const offset = targetOf(instructions[i]!, addresses[i]! >>> 0) - func.start;
    return offset >= 0 && offset < func.size ? at[offset]! : -1;
  }

  private window(start: number, { pointer, extent, rights, literal, trap, end, size }: WindowSite): void {
    const raw = (kind: MutationKind, address: number, after: string, word: number, length: number): void => {
      const bytes = Uint8Array.from({ length }, (_, k) => word >>> (8 * k));
      this.found.push({ kind, func: this.code.func, address, before: 'window sequence', after, bytes });
    };
    const put = (address: number, op: number, operands: readonly number[]): void =>
      raw(
        'window sequence changed',
        address,
        formatInstruction({ row: rowOf(op), opcode: op, operands }, address),
        encode(op, operands, address),
        rowOf(op).size,
      );
    const other = pointer === 9 ? 10 : 9;
    const [save, descriptor, result, refused] = [start, start + 12, start + 18, start + 21];
    for (const less of rights === 3 ? [1, 2] : [3 - rights])
      raw('window asked for with less', descriptor, `rights ${less}`, windowDescriptor(extent, less), 3);
    for (const less of [extent - 1, 1])
      if (less > 0 && less < extent)
        raw('window asked for with less', descriptor, `extent ${less}`, windowDescriptor(less, rights), 3);
    raw('window sequence changed', descriptor, 'no descriptor', windowDescriptor(extent, rights) + 1, 3);
    put(save, Op.WSR, [pointer, 244]);
    put(save, Op.NOP, []);
    put(start + 3, Op.WSR, [pointer, 231]);
    put(start + 9, Op.CALLX0, [pointer]);
    put(start + 15, Op.NOP, []);
    put(result, Op.RSR, [other, 245]);
    put(result, Op.RSR, [1, 245]);
    put(result, Op.NOP, []);
    put(refused, Op.NOP_N, []);
    put(refused, Op.BEQZ_N, [other, trap - refused]);
    put(refused, Op.BEQZ_N, [pointer, trap - refused + 2]);
    put(start + size - 2, Op.NOP_N, []);
    put(start + size - 5, Op.J, [end + 1 - (start + size - 5)]);
    // Another register gets the pointer: the one that the access goes through keeps what it was; at times that is harmless.
    const both = [encode(Op.RSR, [other, 245], result), encode(Op.BEQZ_N, [other, trap - refused], refused)] as const;
    const bytes = Uint8Array.from([0, 8, 16].map((n) => both[0] >>> n).concat([0, 8].map((n) => both[1] >>> n)));
    const kind = 'window pointer in other register';
    this.found.push({ kind, func: this.code.func, address: result, before: `a${pointer}`, after: `a${other}`, bytes });
    for (const target of this.outside) raw('window sequence changed', literal, 'call of unpublished code', target, 4);
  }

  private check(i: number, inst: DecodedInstruction): void {
    const { operands, opcode, row } = inst;
    const overTrap = this.code.instructions[i + 1]?.opcode === Op.ILL_N;
    const displacement = operands[operands.length - 1]!;
    if (overTrap) this.replace('check dropped', i, Op.J, [displacement]);
    else this.put('check dropped', i, [row.size === 2 ? Op.NOP_N : Op.NOP, []]);
    const opposite = inverse.get(opcode);
    if (opposite !== undefined) this.replace('check inverted', i, opposite, operands);
    if (row.operands[1]?.kind === 'ar') {
      this.replace('check of other register', i, opcode, [operands[0]!, (operands[1]! + 5) % 12 || 9, displacement]);
      this.replace(
        'limit raised',
        i,
        opcode,
        overTrap ? [operands[0]!, operands[0]!, displacement] : [operands[1]!, operands[1]!, displacement],
      );
    }
  }

  private branch(i: number, inst: DecodedInstruction): void {
    const { operands, opcode } = inst;
    const last = operands.length - 1;
    const middle = this.middle(targetOf(inst, this.code.addresses[i]! >>> 0));
    const at = this.code.addresses[i]! >>> 0;
    if (middle >= 0) this.replace('branch into an instruction', i, opcode, operands.with(last, middle - at));
    for (const target of this.outside) {
      if (opcode === Op.J) this.replace('branch out of the function', i, opcode, [target + 1 - at]);
    }
    this.replace(
      'branch out of the function',
      i,
      opcode,
      operands.with(last, this.code.func.start + this.code.func.size + 1 - at),
    );
  }

  /** An address near `target` where no instruction begins, or -1. */
  private middle(target: number): number {
    const { at, func } = this.code;
    for (let offset = target - func.start; offset < func.size && offset >= 0; offset++)
      if (at[offset] === -1) return func.start + offset;
    return -1;
  }

  private access(i: number, inst: DecodedInstruction): void {
    const { operands, opcode, row } = inst;
    if (row.operands[2]?.kind !== 'uimm') return;
    const widest = operands.with(2, (row.size === 2 ? 15 : 255) * row.access!.bytes);
    if (widest[2] !== operands[2]) this.replace('access offset widened', i, opcode, widest);
    if (operands[1] !== 1)
      this.replace(
        'access through other register',
        i,
        opcode,
        operands.with(1, operands[1] === 15 ? 14 : operands[1]! + 1),
      );
  }

  private literal(i: number, inst: DecodedInstruction): void {
    const address = ((this.code.addresses[i]! >>> 0) + inst.operands[1]!) >>> 0;
    const word = this.image.word(address)!;
    const { stackLimit } = this.code.func.module;
    // What it is above the limit is what callees need that do not check.
    if (word >= stackLimit && word < stackLimit + 0x10000) this.word('stack check lowered', address, word, word - 16);
    for (const change of [0x10000, 0x40000000, -0x1000, 3]) this.word('literal changed', address, word, word + change);
  }

  /** Another word in the pool. */
  private word(kind: MutationKind, address: number, before: number, after: number): void {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, after >>> 0, true);
    const text = (word: number): string => `.word 0x${(word >>> 0).toString(16)}`;
    this.found.push({ kind, func: this.code.func, address, before: text(before), after: text(after), bytes });
  }

  private call(i: number, inst: DecodedInstruction): void {
    const at = this.code.addresses[i]! >>> 0;
    this.replace('call into a function', i, inst.opcode, [inst.operands[0]! + 4]);
    for (const target of this.outside) this.replace('call of unpublished code', i, inst.opcode, [target - at]);
  }

  /** Instructions of the epilogue: those after the last that is none, before a return. */
  private restore(i: number, inst: DecodedInstruction): void {
    const { instructions } = this.code;
    let k = i + 1;
    while (k < instructions.length && k < i + 9 && isRestoring(instructions[k]!)) k++;
    if (instructions[k]?.row.flow !== 'return' || !isRestoring(inst)) return;
    const nop = [inst.row.size === 2 ? Op.NOP_N : Op.NOP, []] as const;
    const [register] = inst.operands;
    if (register === 1) this.put('stack pointer not restored', i, nop);
    else this.put(register === 0 ? 'return address not restored' : 'saved register not restored', i, nop);
    if (register === 0 && inst.row.access !== undefined)
      this.replace('return address not restored', i, inst.opcode, inst.operands.with(2, inst.operands[2]! + 4));
  }

  private tables(): void {
    const { func, at } = this.code;
    for (let address = func.poolStart; address + 4 <= func.start; address += 4) {
      const word = this.image.word(address) ?? 0;
      const offset = word - func.start;
      if (offset <= 0 || offset >= func.size || at[offset]! < 0) continue;
      for (const target of [this.middle(word), func.start + func.size + 64, this.outside[0]!]) {
        if (target >= 0) this.word('jump table entry changed', address, word, target);
      }
    }
  }

  private put(kind: MutationKind, i: number, [op, operands]: readonly [number, readonly number[]]): void {
    this.replace(kind, i, op, operands);
  }

  /** Another instruction of the same size in place of instruction i, if it can be encoded and differs. */
  private replace(kind: MutationKind, i: number, op: number, operands: readonly number[]): void {
    const inst = this.code.instructions[i]!;
    const address = this.code.addresses[i]! >>> 0;
    const row = rowOf(op);
    if (row.size !== inst.row.size || !operands.every((value, k) => operandFits(op, k, value, address))) return;
    const word = encode(op, operands, address);
    if (word === encode(inst.opcode, inst.operands, address)) return;
    const bytes = Uint8Array.from({ length: row.size }, (_, k) => word >>> (8 * k));
    const before = formatInstruction(inst, address);
    const after = formatInstruction({ row, opcode: op, operands }, address);
    this.found.push({ kind, func: this.code.func, address, before, after, bytes });
  }
}

/** Loads from the frame into a0 or a callee-saved register, and additions to SP. */
function isRestoring({ row, operands, opcode }: DecodedInstruction): boolean {
  if (opcode === Op.ADDI || opcode === Op.ADDMI) return operands[0] === 1 && operands[1] === 1;
  return (
    row.access?.kind === 'load' &&
    row.operands[1]?.kind === 'ar' &&
    operands[1] === 1 &&
    (operands[0] === 0 || operands[0]! >= 12)
  );
}

/**
 * All mutations of the modules' functions.
 * @param outside addresses of runtime code that modules must not reach
 */
export function mutationsOf(image: Image, outside: readonly number[]): Mutation[] {
  const found: Mutation[] = [];
  for (const func of image.functions.values()) {
    const code = decodeFunction(image, func);
    if (Array.isArray(code)) continue;
    const mutator = new Mutator(image, code as Code, outside);
    mutator.run();
    found.push(...mutator.found);
  }
  return found;
}

/** Runs `body` with the mutation in the image's bytes. */
export function mutated<T>(image: Image, { address, bytes }: Mutation, body: () => T): T {
  const segment = image.segmentAt(address)!;
  const place = segment.bytes.subarray(address - segment.address, address - segment.address + bytes.length);
  const saved = Uint8Array.from(place);
  place.set(bytes);
  try {
    return body();
  } finally {
    place.set(saved);
  }
}

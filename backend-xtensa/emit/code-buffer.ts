// A function's instructions in final order over physical registers, before addresses are known: items with labels,
// literal and symbol references, stubs of checks. Takes appends, gives flat arrays (relax.ts sizes them, encode-function.ts
// writes them). Knows no ABI and no frame.
import { rowOf } from '../isa/table.js';
import { Op } from '../isa/table.js';
import { ItemKind, JUMP_BYTES, TRAP_BYTES } from './label-use.js';

/** What a check that fails reaches: a trap of its own, or a jump to code too large to be near. */
export interface Stub {
  /** Item of the check. */
  readonly item: number;
  /** Where the jump leads, -1 for a trap. */
  readonly label: number;
  readonly code: number;
  readonly loc: number;
}

/** Bytes of an alignment at an offset, by its low bits: NOP.N, NOP or both. */
export const alignBytes = (offset: number): number => [0, 3, 2, 5][offset & 3]!;
export const stubBytes = ({ label }: Stub): number => (label < 0 ? TRAP_BYTES : JUMP_BYTES);

/** A site at an item: of the instruction itself, or (`after`) of the address behind it. */
export interface ItemSite {
  readonly item: number;
  readonly after: boolean;
  readonly code: number;
  readonly loc: number;
}

export interface LiteralEntry {
  /** Symbol, or null for a plain number. */
  readonly symbol: string | null;
  /** Value, or addend to the symbol. */
  readonly value: number;
  /** Number of the jump table it is the address of, or -1. */
  readonly table: number;
}

const FIELDS = 4;

export class CodeBuffer {
  count = 0;
  kind = new Uint8Array(256);
  op = new Uint16Array(256);
  /** Semantic operand values in assembler order, FIELDS for each item; the pc-relative one is left 0. */
  operands = new Int32Array(256 * FIELDS);
  /** Label, literal, symbol or stub number, by kind. */
  ref = new Int32Array(256);
  /** Execution weight of the block around the item: where to put islands. */
  weight = new Float32Array(256);

  /** Item each label stands before, -1 while unbound. */
  readonly labels: number[] = [];
  readonly stubs: Stub[] = [];
  readonly sites: ItemSite[] = [];
  readonly lines: (readonly [item: number, loc: number])[] = [];
  readonly literals: LiteralEntry[] = [];
  readonly symbols: string[] = [];
  /** First item behind all code that runs without a frame: what belongs to either side stays there. */
  frameStart = 0;
  /** Items that LEND of some loop points at. */
  readonly loopEnds = new Set<number>();
  /** Jump tables: labels of the entries. */
  readonly tables: number[][] = [];
  private readonly literalIndex = new Map<number | string, number>();
  private readonly symbolIndex = new Map<string, number>();
  private currentWeight = 1;
  private lastLoc = -1;

  // -- labels and places

  newLabel(): number {
    return this.labels.push(-1) - 1;
  }
  bind(label: number): void {
    this.labels[label] = this.count;
  }
  setWeight(weight: number): void {
    this.currentWeight = weight;
  }
  /** What follows comes from this byte of the .wasm file. */
  setLoc(loc: number): void {
    if (loc === this.lastLoc || loc === 0) return;
    this.lastLoc = loc;
    this.lines.push([this.count, loc]);
  }

  // -- instructions

  /** Any instruction without a label; takes the density form where one fits. */
  inst(op: number, a = 0, b = 0, c = 0, d = 0): void {
    switch (op) {
      case Op.ADD:
        this.push(ItemKind.Plain, Op.ADD_N, a, b, c, d, -1);
        return;
      case Op.ADDI:
        this.push(ItemKind.Plain, c === -1 || (c >= 1 && c <= 15) ? Op.ADDI_N : op, a, b, c, d, -1);
        return;
      case Op.MOVI:
        this.push(ItemKind.Plain, b >= -32 && b <= 95 ? Op.MOVI_N : op, a, b, c, d, -1);
        return;
      case Op.L32I:
        this.push(ItemKind.Plain, c <= 60 ? Op.L32I_N : op, a, b, c, d, -1);
        return;
      case Op.S32I:
        this.push(ItemKind.Plain, c <= 60 ? Op.S32I_N : op, a, b, c, d, -1);
        return;
      default:
        this.push(ItemKind.Plain, op, a, b, c, d, -1);
    }
  }
  move(to: number, from: number): void {
    if (to !== from) this.push(ItemKind.Plain, Op.MOV_N, to, from, 0, 0, -1);
  }
  /** Conditional branch; `a` and `b` are its register and second operand. */
  branch(op: number, a: number, b: number, label: number): void {
    this.push(ItemKind.Branch, op, a, b, 0, 0, label);
  }
  /** Zero-overhead loop to `label`, count in `register`. `id` names the loop in a LoopConflict. */
  loop(register: number, label: number, id: number): void {
    this.push(ItemKind.Loop, Op.LOOP, register, id, 0, 0, label);
  }
  /** Binds the label behind a zero-overhead loop's body: LEND. */
  bindLoopEnd(label: number): void {
    this.bind(label);
    this.loopEnds.add(this.count);
  }
  jump(label: number): void {
    this.push(ItemKind.Jump, Op.J, 0, 0, 0, 0, label);
  }
  /** Branch to a trap of its own. */
  check(op: number, a: number, b: number, code: number, loc: number): void {
    const stub = this.stubs.push({ item: this.count, label: -1, code, loc }) - 1;
    this.push(ItemKind.Check, op, a, b, 0, 0, stub);
  }
  /** Branch to code out of line, which goes back by itself: never taken where it matters. */
  outOfLine(op: number, a: number, b: number, label: number): void {
    const stub = this.stubs.push({ item: this.count, label, code: 0, loc: 0 }) - 1;
    this.push(ItemKind.Check, op, a, b, 0, 0, stub);
  }
  /** Puts what follows on a word boundary; control must not come here. */
  align(): void {
    this.push(ItemKind.Align, Op.NOP, 0, 0, 0, 0, -1);
  }
  /** Three bytes of data, which control must not reach. */
  data(value: number): void {
    this.push(ItemKind.Data, Op.L32R, 0, 0, 0, 0, value);
  }
  /** Marks the next instruction as one that may trap. */
  trapSite(code: number, loc: number): void {
    this.sites.push({ item: this.count, after: false, code, loc });
  }
  /** Marks the address behind the last instruction. */
  returnSite(code: number, loc: number): void {
    this.sites.push({ item: this.count - 1, after: true, code, loc });
  }

  /** 32-bit constant into an address register, by the shortest means. */
  constant(register: number, value: number): void {
    if (value >= -2048 && value <= 2047) this.inst(Op.MOVI, register, value);
    else this.loadLiteral(register, this.literal(value, { symbol: null, value, table: -1 }));
  }
  /** Address symbol + addend into an address register. */
  symbolAddress(register: number, symbol: string, addend: number): void {
    const literal = this.literal(`${symbol}+${addend}`, { symbol, value: addend, table: -1 });
    this.loadLiteral(register, literal);
  }
  /** Address of a jump table into an address register. */
  tableAddress(register: number, table: number): void {
    this.loadLiteral(register, this.literal(`table ${table}`, { symbol: null, value: 0, table }));
  }
  /** CALL0 or J to a symbol. */
  symbolTransfer(op: number, symbol: string): void {
    let index = this.symbolIndex.get(symbol);
    if (index === undefined) {
      index = this.symbols.push(symbol) - 1;
      this.symbolIndex.set(symbol, index);
    }
    this.push(ItemKind.Symbol, op, 0, 0, 0, 0, index);
  }

  private literal(key: number | string, entry: LiteralEntry): number {
    let index = this.literalIndex.get(key);
    if (index === undefined) {
      index = this.literals.push(entry) - 1;
      this.literalIndex.set(key, index);
    }
    return index;
  }
  private loadLiteral(register: number, literal: number): void {
    this.push(ItemKind.Literal, Op.L32R, register, 0, 0, 0, literal);
  }

  /** True when control does not run from item `i` to the next one. */
  endsFlow(i: number): boolean {
    const kind = this.kind[i]!;
    if (kind === ItemKind.Jump) return true;
    if (kind === ItemKind.Symbol) return this.op[i] === Op.J;
    if (kind !== ItemKind.Plain) return false;
    const { flow } = rowOf(this.op[i]!);
    return flow === 'return' || flow === 'jumpreg' || flow === 'trap';
  }

  private push(kind: number, op: number, a: number, b: number, c: number, d: number, ref: number): void {
    const i = this.count;
    if (i === this.kind.length) this.grow();
    this.kind[i] = kind;
    this.op[i] = op;
    this.ref[i] = ref;
    this.weight[i] = this.currentWeight;
    const at = i * FIELDS;
    this.operands[at] = a;
    this.operands[at + 1] = b;
    this.operands[at + 2] = c;
    this.operands[at + 3] = d;
    this.count = i + 1;
  }

  private grow(): void {
    const size = this.kind.length * 2;
    const copy = <T extends { set(from: T): void }>(to: T, from: T): T => (to.set(from), to);
    this.kind = copy(new Uint8Array(size), this.kind);
    this.op = copy(new Uint16Array(size), this.op);
    this.operands = copy(new Int32Array(size * FIELDS), this.operands);
    this.ref = copy(new Int32Array(size), this.ref);
    this.weight = copy(new Float32Array(size), this.weight);
  }
}

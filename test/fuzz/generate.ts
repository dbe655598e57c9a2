// Takes a seed; gives a valid module that uses every operator family, always ends, and whose observable floats have
// canonical NaNs. Shares no code with the compiler. The description beside the bytes says how to call it.
import { Bytes, assembleModule } from './encoder.js';
import { Random } from './random.js';

export const I32 = 0x7f;
export const I64 = 0x7e;
export const F32 = 0x7d;
export const F64 = 0x7c;
export type NumType = typeof I32 | typeof I64 | typeof F32 | typeof F64;
const NUM_TYPES: readonly NumType[] = [I32, I64, F32, F64];

export interface FuncType {
  readonly params: readonly NumType[];
  readonly results: readonly NumType[];
}

/** How to drive a generated module. */
export interface GeneratedModule {
  readonly seed: number;
  readonly bytes: Uint8Array;
  /** Exported functions `f0`, `f1`, ... and their types. */
  readonly functions: readonly FuncType[];
  /** Exported globals `g0`, ... */
  readonly globals: readonly NumType[];
  /** Exported memories `m0`, ... sizes in pages. */
  readonly memories: number;
  readonly instructions: number;
}

export interface GenerateOptions {
  readonly maxFunctions: number;
  readonly maxDepth: number;
  readonly maxStatements: number;
  /** Up to two memories; Node 20 needs --experimental-wasm-multi-memory for it. */
  readonly multiMemory: boolean;
}

const BINARY: Readonly<Record<NumType, readonly number[]>> = {
  // add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr
  [I32]: [0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f, 0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78],
  [I64]: [0x7c, 0x7d, 0x7e, 0x7f, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a],
  // add sub mul div min max copysign
  [F32]: [0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98],
  [F64]: [0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6],
};
const UNARY: Readonly<Record<NumType, readonly number[]>> = {
  [I32]: [0x67, 0x68, 0x69, 0xc0, 0xc1, 0x45],
  [I64]: [0x79, 0x7a, 0x7b, 0xc2, 0xc3, 0xc4],
  [F32]: [0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x90, 0x91],
  [F64]: [0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f],
};
const COMPARE: Readonly<Record<NumType, readonly [number, number]>> = {
  [I32]: [0x46, 0x4f],
  [I64]: [0x51, 0x5a],
  [F32]: [0x5b, 0x60],
  [F64]: [0x61, 0x66],
};
/** [opcode, from]; 0xfc00 + n is the prefixed n. Trapping truncations are rarer: see `conversion`. */
const CONVERSIONS: Readonly<Record<NumType, readonly (readonly [number, NumType])[]>> = {
  [I32]: [
    [0xa7, I64],
    [0xa8, F32],
    [0xa9, F32],
    [0xaa, F64],
    [0xab, F64],
    [0xfc00, F32],
    [0xfc01, F32],
    [0xfc02, F64],
    [0xfc03, F64],
    [0xbc, F32],
  ],
  [I64]: [
    [0xac, I32],
    [0xad, I32],
    [0xae, F32],
    [0xaf, F32],
    [0xb0, F64],
    [0xb1, F64],
    [0xfc04, F32],
    [0xfc05, F32],
    [0xfc06, F64],
    [0xfc07, F64],
    [0xbd, F64],
  ],
  [F32]: [
    [0xb2, I32],
    [0xb3, I32],
    [0xb4, I64],
    [0xb5, I64],
    [0xb6, F64],
    [0xbe, I32],
  ],
  [F64]: [
    [0xb7, I32],
    [0xb8, I32],
    [0xb9, I64],
    [0xba, I64],
    [0xbb, F32],
    [0xbf, I64],
  ],
};
/** [opcode, log2 of natural alignment] */
const LOADS: Readonly<Record<NumType, readonly (readonly [number, number])[]>> = {
  [I32]: [
    [0x28, 2],
    [0x2c, 0],
    [0x2d, 0],
    [0x2e, 1],
    [0x2f, 1],
  ],
  [I64]: [
    [0x29, 3],
    [0x30, 0],
    [0x31, 0],
    [0x32, 1],
    [0x33, 1],
    [0x34, 2],
    [0x35, 2],
  ],
  [F32]: [[0x2a, 2]],
  [F64]: [[0x2b, 3]],
};
const STORES: Readonly<Record<NumType, readonly (readonly [number, number])[]>> = {
  [I32]: [
    [0x36, 2],
    [0x3a, 0],
    [0x3b, 1],
  ],
  [I64]: [
    [0x37, 3],
    [0x3c, 0],
    [0x3d, 1],
    [0x3e, 2],
  ],
  [F32]: [[0x38, 2]],
  [F64]: [[0x39, 3]],
};

interface GlobalInfo {
  readonly type: NumType;
  readonly mutable: boolean;
}
interface Label {
  /** Types a branch to it carries. */
  readonly types: readonly NumType[];
  /** A loop's label: a branch goes back, so it costs fuel (checked at the loop head). */
  readonly loop: boolean;
}

/** Function indices of the NaN canonicalisers; both are defined first. */
const CANON32 = 0;
const CANON64 = 1;
const HELPERS = 2;
/** Global 0 is the fuel. */
const FUEL = 0;

class Generator {
  readonly random: Random;
  readonly types: FuncType[] = [];
  readonly functions: FuncType[] = [];
  readonly globals: GlobalInfo[] = [];
  memories = 0;
  tableSize = 0;
  readonly tableTypes: number[] = [];
  dataSegments = 0;
  elemSegments = 0;
  instructions = 0;

  // -- state of the function being generated
  private out = new Bytes();
  private locals: NumType[] = [];
  private labels: Label[] = [];
  private results: readonly NumType[] = [];
  private index = 0;

  constructor(
    seed: number,
    readonly options: GenerateOptions,
  ) {
    this.random = new Random(seed);
  }

  private op(...bytes: number[]): Bytes {
    this.instructions++;
    const [first] = bytes as [number];
    if (first >= 0xfc00) return this.out.u8(0xfc).u32(first - 0xfc00);
    return this.out.u8(...bytes);
  }

  private constant(type: NumType): void {
    const r = this.random;
    switch (type) {
      case I32:
        this.op(0x41).s32(r.interestingI32());
        break;
      case I64:
        this.op(0x42).s64(r.interestingI64());
        break;
      case F32:
        this.op(0x43).fixed(BigInt(r.interestingF32Bits()), 4);
        break;
      case F64:
        this.op(0x44).fixed(r.interestingF64Bits(), 8);
        break;
    }
  }

  /** Makes the float on the stack safe to observe. */
  private canonicalise(type: NumType): void {
    if (type === F32) this.op(0x10).u32(CANON32);
    if (type === F64) this.op(0x10).u32(CANON64);
  }

  /** An address: mostly inside the first kilobytes, now and then anywhere. */
  private address(depth: number): void {
    const r = this.random;
    if (r.chance(0.03)) this.expression(I32, depth - 1);
    else if (r.chance(0.4)) this.op(0x41).s32(r.between(0, 2000));
    else {
      this.expression(I32, depth - 1);
      this.op(0x41).s32(r.pick([255, 1023, 4095, 16383]));
      this.op(0x71);
    }
  }

  private memarg(align: number): void {
    const r = this.random;
    const offset = r.chance(0.02) ? r.u32() : r.chance(0.5) ? 0 : r.between(0, 1200);
    const memory = r.below(this.memories);
    const alignment = r.below(align + 1);
    if (memory === 0) this.out.u32(alignment).u32(offset);
    else
      this.out
        .u32(alignment | 0x40)
        .u32(memory)
        .u32(offset);
  }

  private leaf(type: NumType): void {
    const r = this.random;
    const choices: number[] = [];
    this.locals.forEach((t, i) => t === type && choices.push(i));
    if (choices.length > 0 && r.chance(0.7)) {
      this.op(0x20).u32(r.pick(choices));
      return;
    }
    const globals = this.globals.flatMap((g, i) => (g.type === type && i !== FUEL ? [i] : []));
    if (globals.length > 0 && r.chance(0.2)) this.op(0x23).u32(r.pick(globals));
    else this.constant(type);
  }

  /** Code that leaves one value of the type. */
  private expression(type: NumType, depth: number): void {
    const r = this.random;
    if (depth <= 0) return this.leaf(type);
    switch (r.below(16)) {
      case 0:
      case 1:
        return this.leaf(type);
      case 2:
      case 3:
      case 4:
      case 5:
        return this.binary(type, depth);
      case 6:
        return this.unary(type, depth);
      case 7:
        return this.conversion(type, depth);
      case 8: {
        if (this.memories === 0) return this.leaf(type);
        const [opcode, align] = r.pick(LOADS[type]);
        this.address(depth);
        this.op(opcode);
        return this.memarg(align);
      }
      case 9:
        this.expression(type, depth - 1);
        this.expression(type, depth - 1);
        this.expression(I32, depth - 1);
        if (r.chance(0.3)) this.op(0x1c, 1, type);
        else this.op(0x1b);
        return;
      case 10:
        return this.block(type, depth);
      case 11: {
        this.expression(I32, depth - 1);
        this.op(0x04, type);
        this.labels.push({ types: [type], loop: false });
        this.expression(type, depth - 1);
        this.op(0x05);
        this.expression(type, depth - 1);
        this.labels.pop();
        this.op(0x0b);
        return;
      }
      case 12:
        return this.callFor(type, depth);
      case 13: {
        const choices = this.locals.flatMap((t, i) => (t === type ? [i] : []));
        if (choices.length === 0) return this.leaf(type);
        this.expression(type, depth - 1);
        this.op(0x22).u32(r.pick(choices));
        return;
      }
      case 14:
        if (type !== I32) return this.binary(type, depth);
        return this.comparison(depth);
      default:
        if (type === I32) return this.queries(depth);
        return this.binary(type, depth);
    }
  }

  private binary(type: NumType, depth: number): void {
    const r = this.random;
    const opcode = r.pick(BINARY[type]);
    this.expression(type, depth - 1);
    const isDivision =
      (type === I32 && opcode >= 0x6d && opcode <= 0x70) || (type === I64 && opcode >= 0x7f && opcode <= 0x82);
    if (isDivision && r.chance(0.7)) {
      // Mostly a non-zero divisor.
      this.expression(type, depth - 1);
      if (type === I32) {
        this.op(0x41).s32(1 + r.below(100));
        this.op(0x72);
      } else {
        this.op(0x42).s64(BigInt(1 + r.below(100)));
        this.op(0x84);
      }
    } else this.expression(type, depth - 1);
    // The sign of a NaN operand would become observable.
    if (opcode === 0x98 || opcode === 0xa6) this.canonicalise(type);
    this.op(opcode);
  }

  private unary(type: NumType, depth: number): void {
    this.expression(type, depth - 1);
    this.op(this.random.pick(UNARY[type]));
  }

  private conversion(type: NumType, depth: number): void {
    const r = this.random;
    const [opcode, from] = r.pick(CONVERSIONS[type]);
    const traps = opcode >= 0xa8 && opcode <= 0xb1 && opcode !== 0xac && opcode !== 0xad;
    if (traps && r.chance(0.8)) return this.leaf(type);
    this.expression(from, depth - 1);
    if (opcode === 0xbc || opcode === 0xbd) this.canonicalise(from);
    this.op(opcode);
  }

  private comparison(depth: number): void {
    const r = this.random;
    const type = r.pick(NUM_TYPES);
    this.expression(type, depth - 1);
    if (type === I64 && r.chance(0.2)) {
      this.op(0x50);
      return;
    }
    this.expression(type, depth - 1);
    const [first, last] = COMPARE[type];
    this.op(r.between(first, last));
  }

  /** i32 results of sizes and growth. */
  private queries(depth: number): void {
    const r = this.random;
    if (this.memories > 0 && r.chance(0.5)) {
      this.op(0x3f).u32(r.below(this.memories));
    } else if (this.memories > 0 && r.chance(0.15)) {
      this.op(0x41).s32(r.pick([0, 1, 1, 2, -1, 65536]));
      this.op(0x40).u32(r.below(this.memories));
    } else if (this.tableSize > 0 && r.chance(0.5)) {
      if (r.chance(0.5)) this.op(0xfc00 + 16).u32(0);
      else {
        this.op(0x41).s32(r.below(this.tableSize));
        this.op(0x25).u32(0);
        this.op(0xd1);
      }
    } else this.comparison(depth);
  }

  private block(type: NumType, depth: number): void {
    const r = this.random;
    this.op(0x02, type);
    this.labels.push({ types: [type], loop: false });
    if (r.chance(0.5)) this.statement(depth - 1);
    this.expression(type, depth - 1);
    if (r.chance(0.5)) {
      // A conditional early exit with the value.
      this.expression(I32, depth - 1);
      this.op(0x0d).u32(0);
    }
    this.labels.pop();
    this.op(0x0b);
  }

  /** Only functions with a smaller index are called directly, so recursion goes through the table, fuel permitting. */
  private callFor(type: NumType, depth: number): void {
    const r = this.random;
    const direct = this.functions.flatMap((f, i) =>
      i < this.index && f.results.length === 1 && f.results[0] === type ? [i] : [],
    );
    if (this.tableSize > 0 && r.chance(0.3)) {
      const typed = this.types.flatMap((t, i) => (t.results.length === 1 && t.results[0] === type ? [i] : []));
      if (typed.length > 0) {
        const index = r.pick(typed);
        for (const p of this.types[index]!.params) this.expression(p, depth - 2);
        this.tableIndex(index);
        this.op(0x11).u32(index).u32(0);
        return;
      }
    }
    if (direct.length === 0) return this.leaf(type);
    const callee = r.pick(direct);
    for (const p of this.functions[callee]!.params) this.expression(p, depth - 2);
    this.op(0x10).u32(callee + HELPERS);
  }

  /** Mostly an index whose entry has the type. */
  private tableIndex(type: number): void {
    const r = this.random;
    const fitting = this.tableTypes.flatMap((t, i) => (t === type ? [i] : []));
    if (fitting.length > 0 && r.chance(0.9)) this.op(0x41).s32(r.pick(fitting));
    else this.op(0x41).s32(r.chance(0.9) ? r.below(this.tableSize) : r.interestingI32());
  }

  private statement(depth: number): void {
    const r = this.random;
    if (depth <= 0) {
      this.op(0x01);
      return;
    }
    switch (r.below(14)) {
      case 0:
      case 1:
      case 2: {
        if (this.locals.length === 0) return this.nop();
        const local = r.below(this.locals.length);
        this.expression(this.locals[local]!, depth);
        this.op(0x21).u32(local);
        return;
      }
      case 3:
      case 4: {
        if (this.memories === 0) return this.nop();
        const type = r.pick(NUM_TYPES);
        const [opcode, align] = r.pick(STORES[type]);
        this.address(depth);
        this.expression(type, depth - 1);
        this.canonicalise(type);
        this.op(opcode);
        return this.memarg(align);
      }
      case 5: {
        const mutable = this.globals.flatMap((g, i) => (g.mutable && i !== FUEL ? [i] : []));
        if (mutable.length === 0) return this.nop();
        const global = r.pick(mutable);
        this.expression(this.globals[global]!.type, depth);
        this.canonicalise(this.globals[global]!.type);
        this.op(0x24).u32(global);
        return;
      }
      case 6:
        return this.loop(depth);
      case 7: {
        this.expression(I32, depth);
        this.op(0x04, 0x40);
        this.labels.push({ types: [], loop: false });
        this.statements(depth - 1);
        if (r.chance(0.5)) {
          this.op(0x05);
          this.statements(depth - 1);
        }
        this.labels.pop();
        this.op(0x0b);
        return;
      }
      case 8:
        return this.branch(depth);
      case 9:
        return this.brTable(depth);
      case 10:
        return this.bulk(depth);
      case 11: {
        // A call for its effect; results are dropped.
        const callable = this.functions.length > 0 ? r.below(Math.max(1, this.index)) : -1;
        if (callable < 0 || callable >= this.index) return this.nop();
        for (const p of this.functions[callable]!.params) this.expression(p, depth - 2);
        this.op(0x10).u32(callable + HELPERS);
        for (let i = 0; i < this.functions[callable]!.results.length; i++) this.op(0x1a);
        return;
      }
      case 12: {
        if (r.chance(0.9)) return this.nop();
        // Leaves the function early.
        this.expression(I32, depth - 1);
        this.op(0x04, 0x40);
        for (const t of this.results) this.returnValue(t, depth - 1);
        this.op(0x0f);
        this.op(0x0b);
        return;
      }
      default:
        this.expression(r.pick(NUM_TYPES), depth);
        this.op(0x1a);
    }
  }

  private nop(): void {
    this.op(0x01);
  }

  private statements(depth: number): void {
    const n = this.random.between(1, this.options.maxStatements);
    for (let i = 0; i < n; i++) this.statement(depth);
  }

  private returnValue(type: NumType, depth: number): void {
    this.expression(type, depth);
    this.canonicalise(type);
  }

  /** A loop whose head burns fuel and leaves when there is none. */
  private loop(depth: number): void {
    const r = this.random;
    this.op(0x02, 0x40);
    this.labels.push({ types: [], loop: false });
    this.op(0x03, 0x40);
    this.labels.push({ types: [], loop: true });
    this.op(0x23).u32(FUEL);
    this.op(0x45);
    this.op(0x0d).u32(1);
    this.op(0x23).u32(FUEL);
    this.op(0x41).s32(1);
    this.op(0x6b);
    this.op(0x24).u32(FUEL);
    this.statements(depth - 1);
    this.expression(I32, depth - 1);
    this.op(0x0d).u32(r.chance(0.8) ? 0 : 1);
    this.labels.pop();
    this.op(0x0b);
    this.labels.pop();
    this.op(0x0b);
  }

  private branch(depth: number): void {
    const r = this.random;
    if (this.labels.length === 0) return this.nop();
    const relative = r.below(this.labels.length);
    const label = this.labels[this.labels.length - 1 - relative]!;
    for (const t of label.types) this.expression(t, depth - 1);
    this.expression(I32, depth - 1);
    this.op(0x0d).u32(relative);
    for (let i = 0; i < label.types.length; i++) this.op(0x1a);
  }

  private brTable(depth: number): void {
    const r = this.random;
    const count = r.between(1, 5);
    for (let i = 0; i < count; i++) {
      this.op(0x02, 0x40);
      this.labels.push({ types: [], loop: false });
    }
    this.expression(I32, depth - 1);
    if (r.chance(0.7)) {
      this.op(0x41).s32(7);
      this.op(0x71);
    }
    this.op(0x0e).u32(count);
    for (let i = 0; i < count; i++) this.out.u32(r.below(count));
    this.out.u32(r.below(count));
    for (let i = 0; i < count; i++) {
      this.labels.pop();
      this.op(0x0b);
      if (r.chance(0.7)) this.statement(depth - 1);
    }
  }

  private bulk(depth: number): void {
    const r = this.random;
    const small = (): void => void this.op(0x41).s32(r.chance(0.95) ? r.between(0, 300) : r.interestingI32());
    const choice = r.below(this.tableSize > 0 ? 8 : 4);
    if (choice < 4 && this.memories === 0) return this.nop();
    switch (choice) {
      case 0: {
        this.address(depth);
        this.expression(I32, depth - 1);
        small();
        this.op(0xfc00 + 11).u32(r.below(this.memories));
        return;
      }
      case 1: {
        this.address(depth);
        this.address(depth);
        small();
        this.op(0xfc00 + 10)
          .u32(r.below(this.memories))
          .u32(r.below(this.memories));
        return;
      }
      case 2: {
        if (this.dataSegments === 0) return this.nop();
        this.address(depth);
        this.op(0x41).s32(r.below(20));
        this.op(0x41).s32(r.below(20));
        this.op(0xfc00 + 8)
          .u32(r.below(this.dataSegments))
          .u32(r.below(this.memories));
        return;
      }
      case 3:
        if (this.dataSegments > 0 && r.chance(0.1)) this.op(0xfc00 + 9).u32(r.below(this.dataSegments));
        else this.nop();
        return;
      case 4: {
        this.op(0x41).s32(r.below(this.tableSize + 1));
        this.op(0xd2).u32(r.below(this.functions.length) + HELPERS);
        this.op(0x26).u32(0);
        return;
      }
      case 5: {
        for (let i = 0; i < 2; i++) this.op(0x41).s32(r.below(this.tableSize));
        this.op(0x41).s32(r.below(4));
        this.op(0xfc00 + 14)
          .u32(0)
          .u32(0);
        return;
      }
      case 6: {
        this.op(0x41).s32(r.below(this.tableSize));
        if (r.chance(0.5)) this.op(0xd0, 0x70);
        else this.op(0xd2).u32(r.below(this.functions.length) + HELPERS);
        this.op(0x41).s32(r.below(3));
        this.op(0xfc00 + 17).u32(0);
        return;
      }
      default: {
        if (this.elemSegments > 0) {
          for (let i = 0; i < 3; i++) this.op(0x41).s32(r.below(4));
          this.op(0xfc00 + 12)
            .u32(r.below(this.elemSegments))
            .u32(0);
          return;
        }
        this.op(0xd0, 0x70);
        this.op(0x41).s32(r.below(3));
        this.op(0xfc00 + 15).u32(0);
        this.op(0x1a);
      }
    }
  }

  private functionBody(index: number): Bytes {
    const r = this.random;
    const type = this.functions[index]!;
    this.index = index;
    this.results = type.results;
    this.labels = [];
    const extra = Array.from({ length: r.below(6) }, () => r.pick(NUM_TYPES));
    this.locals = [...type.params, ...extra];
    this.out = new Bytes();
    // Every function burns fuel, so recursion through the table ends too.
    this.op(0x23).u32(FUEL);
    this.op(0x45);
    this.op(0x04, 0x40);
    for (const t of type.results) this.constant(t);
    this.op(0x0f);
    this.op(0x0b);
    this.op(0x23).u32(FUEL);
    this.op(0x41).s32(1);
    this.op(0x6b);
    this.op(0x24).u32(FUEL);
    this.statements(this.options.maxDepth);
    if (r.chance(0.05) && this.tailCall(type)) {
      // The tail call has left the function.
    } else for (const t of type.results) this.returnValue(t, this.options.maxDepth);
    this.op(0x0b);
    const locals = extra.map((t) => new Bytes().u32(1).u8(t));
    return new Bytes().sized(new Bytes().vector(locals).append(this.out));
  }

  private tailCall(type: FuncType): boolean {
    const same = this.functions.flatMap((f, i) =>
      i < this.index && String(f.results) === String(type.results) ? [i] : [],
    );
    if (same.length === 0) return false;
    const callee = this.random.pick(same);
    for (const p of this.functions[callee]!.params) this.expression(p, 1);
    this.op(0x12).u32(callee + HELPERS);
    return true;
  }

  private canonHelper(type: typeof F32 | typeof F64): Bytes {
    const body = new Bytes().u32(0).u8(0x20, 0);
    if (type === F32) body.u8(0x43).fixed(0x7fc00000n, 4).u8(0x20, 0, 0x20, 0, 0x5b);
    else body.u8(0x44).fixed(0x7ff8000000000000n, 8).u8(0x20, 0, 0x20, 0, 0x61);
    return new Bytes().sized(body.u8(0x1b, 0x0b));
  }

  generate(): GeneratedModule {
    const r = this.random;
    const typeCount = r.between(2, 6);
    for (let i = 0; i < typeCount; i++) {
      const params = Array.from({ length: r.below(r.chance(0.1) ? 12 : 5) }, () => r.pick(NUM_TYPES));
      const results = Array.from({ length: r.chance(0.8) ? 1 : r.below(5) }, () => r.pick(NUM_TYPES));
      this.types.push({ params, results });
    }
    const functionCount = r.between(1, this.options.maxFunctions);
    const functionTypes: number[] = [];
    for (let i = 0; i < functionCount; i++) {
      const t = r.below(typeCount);
      functionTypes.push(t);
      this.functions.push(this.types[t]!);
    }
    this.memories = r.chance(0.9) ? (this.options.multiMemory && r.chance(0.3) ? 2 : 1) : 0;
    this.globals.push({ type: I32, mutable: true });
    for (let i = r.below(6); i > 0; i--) this.globals.push({ type: r.pick(NUM_TYPES), mutable: r.chance(0.8) });
    this.tableSize = r.chance(0.6) ? r.between(2, 8) : 0;
    const tableFunctions = Array.from({ length: this.tableSize }, () => (r.chance(0.8) ? r.below(functionCount) : -1));
    for (const f of tableFunctions) this.tableTypes.push(f < 0 ? -1 : functionTypes[f]!);
    this.elemSegments = this.tableSize > 0 ? this.tableSize : 0;
    this.dataSegments = this.memories > 0 ? r.below(4) : 0;
    const withLimit = r.chance(0.8);

    const canonTypes = [new Bytes().u8(0x60, 1, F32, 1, F32), new Bytes().u8(0x60, 1, F64, 1, F64)];
    const typeBytes = this.types.map((t) =>
      new Bytes()
        .u8(0x60)
        .u32(t.params.length)
        .u8(...t.params)
        .u32(t.results.length)
        .u8(...t.results),
    );
    const bodies = this.functions.map((_, i) => this.functionBody(i));
    const globalBytes = this.globals.map((g, i) => {
      const b = new Bytes().u8(g.type, g.mutable ? 1 : 0);
      this.out = b;
      if (i === FUEL) this.op(0x41).s32(2000);
      else this.constant(g.type);
      return b.u8(0x0b);
    });
    const sections: [number, Bytes][] = [
      [1, new Bytes().vector([...typeBytes, ...canonTypes])],
      [3, new Bytes().vector([typeCount, typeCount + 1, ...functionTypes].map((t) => new Bytes().u32(t)))],
    ];
    if (this.tableSize > 0)
      sections.push([
        4,
        new Bytes()
          .u32(1)
          .u8(0x70, 1)
          .u32(this.tableSize)
          .u32(this.tableSize + 4),
      ]);
    if (this.memories > 0) {
      const memory = Array.from({ length: this.memories }, () => {
        const b = new Bytes();
        return withLimit ? b.u8(1, 1, r.between(1, 3)) : b.u8(1, 1, 2);
      });
      sections.push([5, new Bytes().vector(memory)]);
    }
    sections.push([6, new Bytes().vector(globalBytes)]);
    const exports = [
      ...this.functions.map((_, i) =>
        new Bytes()
          .name(`f${i}`)
          .u8(0)
          .u32(i + HELPERS),
      ),
      ...this.globals.map((_, i) => new Bytes().name(`g${i}`).u8(3).u32(i)),
      ...Array.from({ length: this.memories }, (_, i) => new Bytes().name(`m${i}`).u8(2).u32(i)),
    ];
    sections.push([7, new Bytes().vector(exports)]);
    // All functions are declared for ref.func; entries fill the table one segment each.
    const declared = new Bytes()
      .u32(3)
      .u8(0)
      .vector(this.functions.map((_, i) => new Bytes().u32(i + HELPERS)));
    const elems: Bytes[] = tableFunctions.map((f, i) =>
      f < 0
        ? new Bytes().u32(4).u8(0x41).s32(i).u8(0x0b).u32(1).u8(0xd0, 0x70, 0x0b)
        : new Bytes()
            .u32(0)
            .u8(0x41)
            .s32(i)
            .u8(0x0b)
            .u32(1)
            .u32(f + HELPERS),
    );
    sections.push([9, new Bytes().vector([...elems, declared])]);
    if (this.dataSegments > 0) sections.push([12, new Bytes().u32(this.dataSegments)]);
    sections.push([10, new Bytes().vector([this.canonHelper(F32), this.canonHelper(F64), ...bodies])]);
    if (this.dataSegments > 0) {
      const data = Array.from({ length: this.dataSegments }, () => {
        const content = Array.from({ length: r.below(30) }, () => r.below(256));
        const b = new Bytes();
        if (r.chance(0.5)) b.u8(1);
        else b.u8(0, 0x41).s32(r.below(1000)).u8(0x0b);
        return b.u32(content.length).u8(...content);
      });
      sections.push([11, new Bytes().vector(data)]);
    }
    return {
      seed: r.seed,
      bytes: assembleModule(sections),
      functions: this.functions,
      globals: this.globals.map((g) => g.type),
      memories: this.memories,
      instructions: this.instructions,
    };
  }
}

export const DEFAULT_OPTIONS: GenerateOptions = { maxFunctions: 6, maxDepth: 5, maxStatements: 4, multiMemory: false };

/** A valid module from a seed. */
export function generateModule(seed: number, options: GenerateOptions = DEFAULT_OPTIONS): GeneratedModule {
  return new Generator(seed, options).generate();
}

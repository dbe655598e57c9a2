// What a body reader tells its consumer: one call per *reachable* instruction, already validated. Implemented by the
// translator, and here by a sink that ignores everything. Knows no IR.
import type { FuncType } from './types.js';

/**
 * Receives one function body. Instructions in unreachable code are validated but not reported, nor are blocks opened
 * there, so a sink always has exactly the operands an instruction needs. `depth` of a branch counts blocks the sink was
 * told of, 0 = innermost, like Wasm's label index.
 */
export interface BodySink {
  /** File offset of the instruction being reported; set before each call. */
  loc: number;
  /** A body begins; `locals` are types of parameters and declared locals. */
  begin(index: number, type: FuncType, locals: Uint8Array): void;
  block(type: FuncType): void;
  /** `bodyStart`: offset of the first instruction inside the loop; `end`: of the byte after the function body. */
  loop(type: FuncType, bodyStart: number, end: number): void;
  /** The condition is on top of the stack. */
  ifBegin(type: FuncType): void;
  /** `reachable`: the end of the then part falls through. */
  elseBegin(reachable: boolean): void;
  /** End of the innermost block; gives whether the code after it can be reached. */
  end(reachable: boolean): boolean;
  /** End of the function; `reachable`: its last instruction falls through. */
  finish(reachable: boolean): void;
  br(depth: number): void;
  brIf(depth: number): void;
  /** `depths[0..count)`, the last one is the default. */
  brTable(depths: Uint32Array, count: number): void;
  ret(): void;
  unreachable(): void;

  call(func: number): void;
  callIndirect(typeIndex: number, table: number): void;
  returnCall(func: number): void;
  returnCallIndirect(typeIndex: number, table: number): void;

  drop(): void;
  /** `type` is the value type byte of both choices. */
  select(type: number): void;
  localGet(index: number): void;
  localSet(index: number): void;
  localTee(index: number): void;
  globalGet(index: number): void;
  globalSet(index: number): void;

  i32Const(value: number): void;
  i64Const(lo: number, hi: number): void;
  f32Const(bits: number): void;
  f64Const(lo: number, hi: number): void;
  /** One- and two-operand numeric ops, by opcode (0x100 + n for the 0xFC prefix). */
  unary(opcode: number): void;
  binary(opcode: number): void;

  load(opcode: number, offset: number, memory: number): void;
  store(opcode: number, offset: number, memory: number): void;
  memorySize(memory: number): void;
  memoryGrow(memory: number): void;
  memoryFill(memory: number): void;
  memoryCopy(destination: number, source: number): void;
  memoryInit(segment: number, memory: number): void;
  dataDrop(segment: number): void;

  refNull(): void;
  refIsNull(): void;
  refFunc(func: number): void;
  tableGet(table: number): void;
  tableSet(table: number): void;
  tableSize(table: number): void;
  tableGrow(table: number): void;
  tableFill(table: number): void;
  tableCopy(destination: number, source: number): void;
  tableInit(segment: number, table: number): void;
  elemDrop(segment: number): void;
}

/** Ignores a body: for validation alone, where it does not matter what can be reached. */
export class NullSink implements BodySink {
  loc = 0;
  begin(): void {}
  block(): void {}
  loop(): void {}
  ifBegin(): void {}
  elseBegin(): void {}
  end(): boolean {
    return true;
  }
  finish(): void {}
  br(): void {}
  brIf(): void {}
  brTable(): void {}
  ret(): void {}
  unreachable(): void {}
  call(): void {}
  callIndirect(): void {}
  returnCall(): void {}
  returnCallIndirect(): void {}
  drop(): void {}
  select(): void {}
  localGet(): void {}
  localSet(): void {}
  localTee(): void {}
  globalGet(): void {}
  globalSet(): void {}
  i32Const(): void {}
  i64Const(): void {}
  f32Const(): void {}
  f64Const(): void {}
  unary(): void {}
  binary(): void {}
  load(): void {}
  store(): void {}
  memorySize(): void {}
  memoryGrow(): void {}
  memoryFill(): void {}
  memoryCopy(): void {}
  memoryInit(): void {}
  dataDrop(): void {}
  refNull(): void {}
  refIsNull(): void {}
  refFunc(): void {}
  tableGet(): void {}
  tableSet(): void {}
  tableSize(): void {}
  tableGrow(): void {}
  tableFill(): void {}
  tableCopy(): void {}
  tableInit(): void {}
  elemDrop(): void {}
}

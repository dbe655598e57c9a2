// Takes a function body of a valid module, gives one whose accesses to windows go to the host and whose loops and calls
// use up fuel. Knows instructions; knows no section.
import { OPERAND_TYPE, PREFIX_FC, RESULT_TYPE } from '../../compiler/wasm/opcodes.js';
import { ByteReader } from '../../compiler/wasm/reader.js';
import type { WasmModule } from '../../compiler/wasm/types.js';
import { ByteWriter } from './byte-writer.js';
import { skipImmediates } from './immediates.js';
import { HOST_FUNCTIONS, VALUE_TYPES, type HostFunction, type SegmentKind } from './interface.js';

const SLOT = new Map<string, number>(HOST_FUNCTIONS.map((name, slot) => [name, slot]));

const OP = {
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  call: 0x10,
  callIndirect: 0x11,
  lastCall: 0x15,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  i32Eqz: 0x45,
  i32LtS: 0x48,
  i32GtU: 0x4b,
  i32GeU: 0x4f,
  i32Sub: 0x6b,
  i32Or: 0x72,
} as const;
export const I32_CONST = 0x41;
const EMPTY_BLOCK = 0x40;
const FIRST_LOAD = 0x28;
const FIRST_STORE = 0x36;
const LAST_STORE = 0x3e;
const MEMORY_INIT = PREFIX_FC + 8;
const DATA_DROP = PREFIX_FC + 9;
const ELEM_DROP = PREFIX_FC + 13;
const MEMORY_COPY = PREFIX_FC + 10;
const MEMORY_FILL = PREFIX_FC + 11;
export const REF_FUNC = 0xd2;

/** Bytes of a load or store, by opcode. */
export const ACCESS_WIDTH: Readonly<Record<number, number>> = Object.fromEntries([
  ...[4, 8, 4, 8, 1, 1, 2, 2, 1, 1, 2, 2, 4, 4].map((width, i) => [FIRST_LOAD + i, width]),
  ...[4, 8, 4, 8, 1, 2, 1, 2, 4].map((width, i) => [FIRST_STORE + i, width]),
]);

/** What bodies refer to beside the module's own: places of what is appended. */
export interface BodyContext {
  readonly module: WasmModule;
  /** Type of the first of HOST_FUNCTIONS, and their table. */
  readonly firstType: number;
  readonly table: number;
  readonly fuel: number;
  /** Bytes of memory 0 if it ends within a page. */
  readonly exactBytes: number | null;
  /** Functions that ref.func names. */
  readonly referenced: Set<number>;
  /** Global that tells that a segment is gone. */
  droppedGlobal(kind: SegmentKind, segment: number): number;
}

/** Pairs of offsets, ascending: in the new body, in the original file. */
export interface RewrittenBody {
  readonly bytes: Uint8Array;
  readonly offsets: readonly number[];
}

/** One body. The scratch locals come after the function's own. */
export class BodyRewriter {
  private w = new ByteWriter();
  private readonly offsets: number[] = [];
  private scratch = 0;
  private calls = false;

  constructor(private readonly context: BodyContext) {}

  run(index: number, start: number, end: number): RewrittenBody {
    const { module } = this.context;
    const r = new ByteReader(module.bytes, start, end);
    const groups = r.u32();
    const locals = r.pos;
    let count = module.types[module.funcs[index]!.typeIndex]!.params.length;
    for (let i = 0; i < groups; i++) {
      count += r.u32();
      r.u8();
    }
    // Three i32, one of each other type.
    this.scratch = count;
    const head = new ByteWriter();
    head.u32(groups + 4);
    head.raw(module.bytes.subarray(locals, r.pos));
    [3, 1, 1, 1].forEach((number, i) => {
      head.u32(number);
      head.u8(VALUE_TYPES[i]!);
    });
    while (!r.done) this.instruction(r);
    const code = this.w;
    // A function that calls nothing ends, unless it loops.
    if (this.calls) {
      this.w = head;
      this.burn();
    }
    for (let i = 0; i < this.offsets.length; i += 2) this.offsets[i]! += head.length;
    head.raw(code.view());
    return { bytes: head.view(), offsets: this.offsets };
  }

  private instruction(r: ByteReader): void {
    const { w } = this;
    const { module, referenced, droppedGlobal } = this.context;
    const start = r.pos;
    this.offsets.push(w.length, start);
    const byte = r.u8();
    const opcode = byte === 0xfc ? PREFIX_FC + r.u32() : byte;
    const operands = skipImmediates(r, opcode);
    const original = module.bytes.subarray(start, r.pos);
    if (opcode === REF_FUNC) referenced.add(operands.first);
    if (opcode >= OP.call && opcode <= OP.lastCall) this.calls = true;
    if (opcode >= FIRST_LOAD && opcode < FIRST_STORE && operands.second === 0)
      this.load(opcode, operands.first, original);
    else if (opcode >= FIRST_STORE && opcode <= LAST_STORE && operands.second === 0)
      this.store(opcode, operands.first, original);
    else if (opcode === MEMORY_COPY && operands.first === 0 && operands.second === 0) this.bulk('copy', original);
    else if (opcode === MEMORY_FILL && operands.first === 0) this.bulk('fill', original);
    else if (opcode === MEMORY_INIT && operands.second === 0) this.bulk('init', original, operands.first);
    else {
      w.raw(original);
      if (opcode === OP.loop) this.burn();
      if (opcode === DATA_DROP || opcode === ELEM_DROP) {
        this.constant(1);
        w.u8(OP.globalSet);
        w.u32(droppedGlobal(opcode === DATA_DROP ? 'data' : 'elem', operands.first));
      }
    }
  }

  private local(op: number, index: number): void {
    this.w.u8(op);
    this.w.u32(this.scratch + index);
  }

  private constant(value: number): void {
    this.w.u8(I32_CONST);
    this.w.s32(value);
  }

  private callHost(name: HostFunction): void {
    const slot = SLOT.get(name)!;
    this.constant(slot);
    this.w.u8(OP.callIndirect);
    this.w.u32(this.context.firstType + slot);
    this.w.u32(this.context.table);
  }

  /** One round less; at none the host is asked. */
  private burn(): void {
    const { w } = this;
    const { fuel } = this.context;
    w.u8(OP.globalGet);
    w.u32(fuel);
    this.constant(1);
    w.u8(OP.i32Sub);
    w.u8(OP.globalSet);
    w.u32(fuel);
    w.u8(OP.globalGet);
    w.u32(fuel);
    w.u8(OP.i32Eqz);
    w.u8(OP.if);
    w.u8(EMPTY_BLOCK);
    this.callHost('interrupt');
    w.u8(OP.end);
  }

  /** Of the address on the stack: is it in a window, or beyond the end of a memory that ends within a page? */
  private isOutside(offset: number, width: number): void {
    const { exactBytes } = this.context;
    const last = exactBytes === null ? null : exactBytes - offset - width;
    this.constant(last === null || last < 0 ? 0 : last);
    this.w.u8(last === null ? OP.i32LtS : last < 0 ? OP.i32GeU : OP.i32GtU);
  }

  private load(opcode: number, offset: number, original: Uint8Array): void {
    const { w } = this;
    const type = RESULT_TYPE[opcode]!;
    this.local(OP.localTee, 0);
    this.isOutside(offset, ACCESS_WIDTH[opcode]!);
    w.u8(OP.if);
    w.u8(type);
    this.local(OP.localGet, 0);
    this.constant(offset);
    this.constant(opcode);
    this.callHost(HOST_FUNCTIONS[VALUE_TYPES.indexOf(type)]!);
    w.u8(OP.else);
    this.local(OP.localGet, 0);
    w.raw(original);
    w.u8(OP.end);
  }

  private store(opcode: number, offset: number, original: Uint8Array): void {
    const { w } = this;
    const kind = VALUE_TYPES.indexOf(OPERAND_TYPE[opcode]!);
    const value = kind === 0 ? 1 : 2 + kind;
    this.local(OP.localSet, value);
    this.local(OP.localTee, 0);
    this.isOutside(offset, ACCESS_WIDTH[opcode]!);
    w.u8(OP.if);
    w.u8(EMPTY_BLOCK);
    this.local(OP.localGet, 0);
    this.local(OP.localGet, value);
    this.constant(offset);
    this.constant(opcode);
    this.callHost(HOST_FUNCTIONS[VALUE_TYPES.length + kind]!);
    w.u8(OP.else);
    this.local(OP.localGet, 0);
    this.local(OP.localGet, value);
    w.raw(original);
    w.u8(OP.end);
  }

  /** memory.copy, memory.fill and memory.init: three operands. */
  private bulk(name: 'copy' | 'fill' | 'init', original: Uint8Array, segment?: number): void {
    const { w } = this;
    const operands = (): void => {
      for (let i = 0; i < 3; i++) this.local(OP.localGet, i);
    };
    const byHost = (): void => {
      operands();
      if (segment !== undefined) this.constant(segment);
      this.callHost(name);
    };
    this.local(OP.localSet, 2);
    this.local(OP.localSet, 1);
    this.local(OP.localSet, 0);
    if (this.context.exactBytes !== null) return byHost();
    this.local(OP.localGet, 0);
    if (name === 'copy') {
      this.local(OP.localGet, 1);
      w.u8(OP.i32Or);
    }
    this.constant(0);
    w.u8(OP.i32LtS);
    w.u8(OP.if);
    w.u8(EMPTY_BLOCK);
    byHost();
    w.u8(OP.else);
    operands();
    w.raw(original);
    w.u8(OP.end);
  }
}

// Reads one function body in a single pass: decodes, validates every instruction (algorithm of the spec's appendix), and
// reports reachable ones to a BodySink. All checks on bodies are here and nowhere else. A per-opcode family: long.
import { DiagnosticError } from '../diagnostics.js';
import type { BodySink } from './body-sink.js';
import {
  IMM_KIND,
  NATURAL_ALIGN,
  OPCODE_FEATURE,
  OPERAND_COUNT,
  OPERAND_TYPE,
  PREFIX_FC,
  RESULT_TYPE,
  refusedOpcode,
} from './opcodes.js';
import { ByteReader } from './reader.js';
import { funcNames, isRefType, ValType, valTypeName, type FuncType, type WasmModule } from './types.js';
import { isValType, readHeapType, readValType } from './value-types.js';

/** Most locals of a function, parameters included: the limit of the WebAssembly JavaScript API. */
export const MAX_LOCALS = 50_000;

const { I32, I64, F32, F64, FuncRef, Bottom } = ValType;

const EMPTY: FuncType = { params: [], results: [] };
const SINGLE_RESULT: readonly (FuncType | undefined)[] = (() => {
  const list = new Array<FuncType | undefined>(128).fill(undefined);
  for (const type of [I32, I64, F32, F64, FuncRef, ValType.ExternRef]) list[type] = { params: [], results: [type] };
  return list;
})();

const enum Kind {
  Func,
  Block,
  Loop,
  If,
  Else,
}

/** One open block. */
class Frame {
  kind: Kind = Kind.Block;
  type: FuncType = EMPTY;
  /** Operand stack height at its start, without its parameters. */
  height = 0;
  /** Rest of the block cannot be reached: the stack is polymorphic. */
  unreachable = false;
  /** The block was entered in reachable code, so the sink knows of it. */
  live = false;
}

/** Reads bodies of one module, one after the other. `declared[f]` is not 0 for functions that `ref.func` may name. */
export class BodyReader {
  private readonly r: ByteReader;
  private types = new Uint8Array(256);
  private height = 0;
  private readonly frames: Frame[] = [new Frame()];
  private depth = 0;
  private frame: Frame;
  /** The current point can be reached. */
  private live = true;
  private locals = new Uint8Array(0);
  private labels = new Uint32Array(16);
  private at = 0;

  constructor(
    private readonly module: WasmModule,
    private readonly declared: Uint8Array,
  ) {
    this.r = new ByteReader(module.bytes);
    this.frame = this.frames[0]!;
  }

  /** Reads and validates function `index`. Errors carry the byte offset and the function. */
  read(index: number, sink: BodySink): void {
    try {
      this.readBody(index, sink);
    } catch (error) {
      if (!(error instanceof DiagnosticError)) throw error;
      const name = funcNames(this.module)[index]!;
      throw error.at({ section: 'code', func: { index, name }, offset: this.at });
    }
  }

  private readBody(index: number, sink: BodySink): void {
    const { module, r } = this;
    const func = module.funcs[index]!;
    const type = module.types[func.typeIndex]!;
    r.pos = func.bodyStart;
    r.end = func.bodyEnd;
    this.at = r.pos;
    this.readLocals(type);
    this.height = 0;
    this.depth = 0;
    this.live = true;
    this.frame = this.frames[0]!;
    this.open(this.frame, Kind.Func, type, true);
    sink.begin(index, type, this.locals);
    this.readCode(sink);
    if (r.pos !== r.end) throw this.fault('W105', 'section size mismatch: bytes after the end of the function');
  }

  private readLocals(type: FuncType): void {
    const { r } = this;
    const groups = r.count(2);
    const counts: number[] = [];
    const types: number[] = [];
    let total = type.params.length;
    for (let i = 0; i < groups; i++) {
      this.at = r.pos;
      const count = r.u32();
      total += count;
      if (total > 0xffffffff) throw this.fault('W101', 'too many locals');
      counts.push(count);
      types.push(readValType(r));
    }
    if (total > MAX_LOCALS) {
      throw this.fault('W501', `${total} locals, at most ${MAX_LOCALS} are supported`);
    }
    const locals = new Uint8Array(total);
    locals.set(type.params);
    let next = type.params.length;
    for (let i = 0; i < groups; i++) {
      locals.fill(types[i]!, next, next + counts[i]!);
      next += counts[i]!;
    }
    this.locals = locals;
  }

  // -- the instruction loop. Case labels are opcode bytes (opcodes.ts): literals, so that the switch is a jump table.
  private readCode(sink: BodySink): void {
    const { r, module, locals } = this;
    for (;;) {
      const at = r.pos;
      this.at = at;
      sink.loc = at;
      const opcode = r.u8();
      switch (opcode) {
        case 0x00: // unreachable
          if (this.live) sink.unreachable();
          this.setUnreachable();
          break;
        case 0x01: // nop
          break;
        case 0x02: // block
        case 0x03: // loop
        case 0x04: {
          // if
          const type = this.blockType();
          if (opcode === 0x04) this.pop(I32);
          this.popAll(type.params);
          const { live } = this;
          const kind = opcode === 0x02 ? Kind.Block : opcode === 0x03 ? Kind.Loop : Kind.If;
          if (live) {
            if (kind === Kind.Block) sink.block(type);
            else if (kind === Kind.Loop) sink.loop(type, r.pos, r.end);
            else sink.ifBegin(type);
          }
          this.pushFrame(kind, type, live);
          break;
        }
        case 0x05: {
          // else
          const { frame } = this;
          if (frame.kind !== Kind.If) throw this.fault('W101', 'else without if');
          this.closeStack(frame);
          if (frame.live) sink.elseBegin(this.live);
          this.live = frame.live;
          frame.kind = Kind.Else;
          frame.unreachable = false;
          this.pushAll(frame.type.params);
          break;
        }
        case 0x0b: {
          // end
          const { frame } = this;
          const { type } = frame;
          this.closeStack(frame);
          if (frame.kind === Kind.Func) {
            sink.finish(this.live);
            return;
          }
          if (frame.kind === Kind.If && !sameTypes(type.params, type.results)) {
            throw this.fault('W201', 'if without else must leave its parameters');
          }
          this.depth--;
          this.frame = this.frames[this.depth]!;
          this.live = frame.live && sink.end(this.live);
          this.pushAll(type.results);
          break;
        }
        case 0x0c: {
          // br
          const label = this.label();
          this.popAll(this.labelTypes(label));
          if (this.live) sink.br(label);
          this.setUnreachable();
          break;
        }
        case 0x0d: {
          // br_if
          const label = this.label();
          this.pop(I32);
          const types = this.labelTypes(label);
          this.popAll(types);
          this.pushAll(types);
          if (this.live) sink.brIf(label);
          break;
        }
        case 0x0e: // br_table
          this.brTable(sink);
          break;
        case 0x0f: // return
          this.popAll(this.frames[0]!.type.results);
          if (this.live) sink.ret();
          this.setUnreachable();
          break;
        case 0x10: {
          // call
          const index = this.index(module.funcs.length, 'function');
          const type = module.types[module.funcs[index]!.typeIndex]!;
          this.popAll(type.params);
          this.pushAll(type.results);
          if (this.live) sink.call(index);
          break;
        }
        case 0x11: {
          // call_indirect
          const typeIndex = this.indirect();
          const table = this.callTable();
          const type = module.types[typeIndex]!;
          this.popAll(type.params);
          this.pushAll(type.results);
          if (this.live) sink.callIndirect(typeIndex, table);
          break;
        }
        case 0x12: {
          // return_call
          const index = this.index(module.funcs.length, 'function');
          this.tailCall(module.types[module.funcs[index]!.typeIndex]!);
          if (this.live) sink.returnCall(index);
          this.setUnreachable();
          break;
        }
        case 0x13: {
          // return_call_indirect
          const typeIndex = this.indirect();
          const table = this.callTable();
          this.tailCall(module.types[typeIndex]!);
          if (this.live) sink.returnCallIndirect(typeIndex, table);
          this.setUnreachable();
          break;
        }
        case 0x1a: // drop
          this.popAny();
          if (this.live) sink.drop();
          break;
        case 0x1b: {
          // select
          this.pop(I32);
          const a = this.popAny();
          const b = this.popAny();
          if (isRefType(a) || isRefType(b)) throw this.fault('W201', 'select of references needs a type');
          if (a !== b && a !== Bottom && b !== Bottom) throw this.mismatch(a, b);
          const type = a === Bottom ? b : a;
          this.push(type);
          if (this.live) sink.select(type);
          break;
        }
        case 0x1c: {
          // select t
          const count = r.count();
          if (count !== 1) throw this.fault('W201', 'invalid result arity');
          const type = readValType(r);
          module.features.add('reference-types');
          this.pop(I32);
          this.pop(type);
          this.pop(type);
          this.push(type);
          if (this.live) sink.select(type);
          break;
        }
        case 0x20: {
          // local.get
          const index = r.u32();
          if (index >= locals.length) throw this.fault('W202', `unknown local ${index}`);
          this.push(locals[index]!);
          if (this.live) sink.localGet(index);
          break;
        }
        case 0x21: {
          // local.set
          const index = r.u32();
          if (index >= locals.length) throw this.fault('W202', `unknown local ${index}`);
          this.pop(locals[index]!);
          if (this.live) sink.localSet(index);
          break;
        }
        case 0x22: {
          // local.tee
          const index = r.u32();
          if (index >= locals.length) throw this.fault('W202', `unknown local ${index}`);
          this.pop(locals[index]!);
          this.push(locals[index]!);
          if (this.live) sink.localTee(index);
          break;
        }
        case 0x23: {
          // global.get
          const index = this.index(module.globals.length, 'global');
          this.push(module.globals[index]!.type);
          if (this.live) sink.globalGet(index);
          break;
        }
        case 0x24: {
          // global.set
          const index = this.index(module.globals.length, 'global');
          const global = module.globals[index]!;
          if (!global.mutable) throw this.fault('W207', `global is immutable: global.set ${index}`);
          this.pop(global.type);
          if (this.live) sink.globalSet(index);
          break;
        }
        case 0x25: {
          // table.get
          const table = this.index(module.tables.length, 'table');
          this.pop(I32);
          this.push(module.tables[table]!.refType);
          if (this.live) sink.tableGet(table);
          break;
        }
        case 0x26: {
          // table.set
          const table = this.index(module.tables.length, 'table');
          this.pop(module.tables[table]!.refType);
          this.pop(I32);
          if (this.live) sink.tableSet(table);
          break;
        }
        case 0x3f: {
          // memory.size
          const memory = this.memory();
          this.push(I32);
          if (this.live) sink.memorySize(memory);
          break;
        }
        case 0x40: {
          // memory.grow
          const memory = this.memory();
          this.pop(I32);
          this.push(I32);
          if (this.live) sink.memoryGrow(memory);
          break;
        }
        case 0x41: {
          // i32.const
          const value = r.s32();
          this.push(I32);
          if (this.live) sink.i32Const(value);
          break;
        }
        case 0x42: // i64.const
          r.s64();
          this.push(I64);
          if (this.live) sink.i64Const(r.lo, r.hi);
          break;
        case 0x43: {
          // f32.const
          const bits = r.word();
          this.push(F32);
          if (this.live) sink.f32Const(bits);
          break;
        }
        case 0x44: {
          // f64.const
          const lo = r.word();
          const hi = r.word();
          this.push(F64);
          if (this.live) sink.f64Const(lo, hi);
          break;
        }
        case 0xd0: // ref.null
          this.push(readHeapType(r));
          if (this.live) sink.refNull();
          break;
        case 0xd1: {
          // ref.is_null
          const type = this.popAny();
          if (type !== Bottom && !isRefType(type)) throw this.mismatch(FuncRef, type);
          this.push(I32);
          if (this.live) sink.refIsNull();
          break;
        }
        case 0xd2: {
          // ref.func
          const index = this.index(module.funcs.length, 'function');
          if (this.declared[index] === 0) throw this.fault('W207', `undeclared function reference ${index}`);
          this.push(FuncRef);
          if (this.live) sink.refFunc(index);
          break;
        }
        case 0xfc:
          this.prefixed(r.u32(), sink);
          break;
        default: {
          const count = OPERAND_COUNT[opcode]!;
          if (IMM_KIND[opcode] === 0) throw this.unknown(opcode);
          if (opcode < 0x45) {
            this.access(opcode, sink);
            break;
          }
          if (opcode >= 0xc0) module.features.add('sign-extension');
          const operand = OPERAND_TYPE[opcode]!;
          this.pop(operand);
          if (count === 2) this.pop(operand);
          this.push(RESULT_TYPE[opcode]!);
          if (this.live) {
            if (count === 2) sink.binary(opcode);
            else sink.unary(opcode);
          }
        }
      }
    }
  }

  /** Loads and stores. */
  private access(opcode: number, sink: BodySink): void {
    const { r, module } = this;
    const flags = r.u32();
    // Bit 6 announces a memory index (multi-memory); the alignment's exponent is below it.
    const align = flags & 0x3f;
    if (flags >= 0x80 || align >= 32) {
      // 2^32 and more cannot be an alignment of a 32-bit address: malformed, as the suite has it.
      throw this.fault('W101', `malformed memop flags 0x${flags.toString(16)}`);
    }
    const memory = (flags & 0x40) !== 0 ? r.u32() : 0;
    const offset = r.u32();
    if (memory >= module.memories.length) throw this.fault('W202', `unknown memory ${memory}`);
    if (align > NATURAL_ALIGN[opcode]!) throw this.fault('W204', 'alignment must not be larger than natural');
    if (opcode < 0x36) {
      this.pop(I32);
      this.push(RESULT_TYPE[opcode]!);
      if (this.live) sink.load(opcode, offset, memory);
    } else {
      this.pop(OPERAND_TYPE[opcode]!);
      this.pop(I32);
      if (this.live) sink.store(opcode, offset, memory);
    }
  }

  /** Instructions with the 0xFC prefix. */
  private prefixed(code: number, sink: BodySink): void {
    const { module } = this;
    const opcode = PREFIX_FC + code;
    const feature = OPCODE_FEATURE[opcode];
    if (feature === undefined || feature === null) {
      if (code === 18) throw this.fault('W301', 'memory control: memory.discard');
      throw this.fault('W106', `illegal opcode 0xfc ${code}`);
    }
    module.features.add(feature);
    switch (code) {
      case 8: {
        // memory.init
        const segment = this.dataIndex();
        const memory = this.memory();
        this.pop3(I32);
        if (this.live) sink.memoryInit(segment, memory);
        break;
      }
      case 9: {
        // data.drop
        const segment = this.dataIndex();
        if (this.live) sink.dataDrop(segment);
        break;
      }
      case 10: {
        // memory.copy
        const destination = this.memory();
        const source = this.memory();
        this.pop3(I32);
        if (this.live) sink.memoryCopy(destination, source);
        break;
      }
      case 11: {
        // memory.fill
        const memory = this.memory();
        this.pop3(I32);
        if (this.live) sink.memoryFill(memory);
        break;
      }
      case 12: {
        // table.init
        const segment = this.index(module.elems.length, 'elem segment');
        const table = this.index(module.tables.length, 'table');
        this.sameRef(module.tables[table]!.refType, module.elems[segment]!.refType);
        this.pop3(I32);
        if (this.live) sink.tableInit(segment, table);
        break;
      }
      case 13: {
        // elem.drop
        const segment = this.index(module.elems.length, 'elem segment');
        if (this.live) sink.elemDrop(segment);
        break;
      }
      case 14: {
        // table.copy
        const destination = this.index(module.tables.length, 'table');
        const source = this.index(module.tables.length, 'table');
        this.sameRef(module.tables[destination]!.refType, module.tables[source]!.refType);
        this.pop3(I32);
        if (this.live) sink.tableCopy(destination, source);
        break;
      }
      case 15: {
        // table.grow
        const table = this.index(module.tables.length, 'table');
        this.pop(I32);
        this.pop(module.tables[table]!.refType);
        this.push(I32);
        if (this.live) sink.tableGrow(table);
        break;
      }
      case 16: {
        // table.size
        const table = this.index(module.tables.length, 'table');
        this.push(I32);
        if (this.live) sink.tableSize(table);
        break;
      }
      case 17: {
        // table.fill
        const table = this.index(module.tables.length, 'table');
        this.pop(I32);
        this.pop(module.tables[table]!.refType);
        this.pop(I32);
        if (this.live) sink.tableFill(table);
        break;
      }
      default: // saturating conversions
        this.pop(OPERAND_TYPE[opcode]!);
        this.push(RESULT_TYPE[opcode]!);
        if (this.live) sink.unary(opcode);
    }
  }

  private brTable(sink: BodySink): void {
    const { r } = this;
    const count = r.count();
    if (this.labels.length <= count) this.labels = new Uint32Array(count + 1 + (count >> 1));
    const { labels } = this;
    for (let i = 0; i <= count; i++) labels[i] = this.label();
    this.pop(I32);
    const arity = this.labelTypes(labels[count]!).length;
    // Each label is checked against the same operands; labels seen before need no second look.
    const checked = new Set<number>();
    for (let i = 0; i <= count; i++) {
      const label = labels[i]!;
      if (checked.has(label)) continue;
      checked.add(label);
      const types = this.labelTypes(label);
      if (types.length !== arity) throw this.fault('W201', 'br_table targets differ in arity');
      this.peekAll(types);
    }
    this.popAll(this.labelTypes(labels[count]!));
    if (this.live) sink.brTable(labels, count + 1);
    this.setUnreachable();
  }

  // -- indices
  private index(limit: number, what: string): number {
    const index = this.r.u32();
    if (index >= limit) throw this.fault('W202', `unknown ${what} ${index}`);
    return index;
  }

  private memory(): number {
    return this.index(this.module.memories.length, 'memory');
  }

  private dataIndex(): number {
    const index = this.r.u32();
    const { dataCount } = this.module;
    if (dataCount === null) throw this.fault('W101', 'data count section required');
    if (index >= dataCount) throw this.fault('W202', `unknown data segment ${index}`);
    return index;
  }

  private indirect(): number {
    return this.index(this.module.types.length, 'type');
  }

  /** The table of an indirect call, and its index operand. */
  private callTable(): number {
    const table = this.index(this.module.tables.length, 'table');
    if (this.module.tables[table]!.refType !== FuncRef) {
      throw this.fault('W201', 'indirect call through a table that is not of funcref');
    }
    this.pop(I32);
    return table;
  }

  private label(): number {
    const label = this.r.u32();
    if (label > this.depth) throw this.fault('W202', `unknown label ${label}`);
    return label;
  }

  private labelTypes(label: number): readonly number[] {
    const frame = this.frames[this.depth - label]!;
    return frame.kind === Kind.Loop ? frame.type.params : frame.type.results;
  }

  private blockType(): FuncType {
    const { r, module } = this;
    const offset = r.pos;
    const first = r.pos < r.end ? r.bytes[r.pos]! : 0;
    if (first === 0x40) {
      r.pos++;
      return EMPTY;
    }
    if (isValType(first)) {
      r.pos++;
      return SINGLE_RESULT[first]!;
    }
    const index = r.s33();
    if (index < 0) {
      r.pos = offset;
      readValType(r);
      throw this.fault('W101', 'malformed block type');
    }
    module.features.add('multi-value');
    const type = module.types[index];
    if (type === undefined) throw this.fault('W202', `unknown type ${index}`);
    return type;
  }

  private tailCall(type: FuncType): void {
    this.module.features.add('tail-call');
    if (!sameTypes(type.results, this.frames[0]!.type.results)) {
      throw this.fault('W201', 'tail call must return what the function returns');
    }
    this.popAll(type.params);
  }

  // -- operand and control stack
  private pushFrame(kind: Kind, type: FuncType, live: boolean): void {
    this.depth++;
    let frame = this.frames[this.depth];
    if (frame === undefined) this.frames.push((frame = new Frame()));
    this.frame = frame;
    this.open(frame, kind, type, live);
    this.pushAll(type.params);
  }

  private open(frame: Frame, kind: Kind, type: FuncType, live: boolean): void {
    frame.kind = kind;
    frame.type = type;
    frame.height = this.height;
    frame.unreachable = false;
    frame.live = live;
  }

  private setUnreachable(): void {
    this.height = this.frame.height;
    this.frame.unreachable = true;
    this.live = false;
  }

  /** Checks that exactly the block's results are on the stack, and takes them. */
  private closeStack(frame: Frame): void {
    this.popAll(frame.type.results);
    if (this.height !== frame.height) {
      throw this.fault('W201', `${this.height - frame.height} values left over at the end of the block`);
    }
  }

  private push(type: number): void {
    if (this.height === this.types.length) {
      const wider = new Uint8Array(this.types.length * 2);
      wider.set(this.types);
      this.types = wider;
    }
    this.types[this.height++] = type;
  }

  private pop(expected: number): void {
    if (this.height === this.frame.height) {
      if (this.frame.unreachable) return;
      throw this.fault('W201', `expected ${valTypeName(expected)}, but the stack is empty`);
    }
    const actual = this.types[--this.height]!;
    if (actual !== expected && actual !== Bottom && expected !== Bottom) throw this.mismatch(expected, actual);
  }

  private popAny(): number {
    if (this.height === this.frame.height) {
      if (this.frame.unreachable) return Bottom;
      throw this.fault('W201', 'expected a value, but the stack is empty');
    }
    return this.types[--this.height]!;
  }

  private pop3(type: number): void {
    this.pop(type);
    this.pop(type);
    this.pop(type);
  }

  private popAll(types: readonly number[]): void {
    for (let i = types.length - 1; i >= 0; i--) this.pop(types[i]!);
  }

  private pushAll(types: readonly number[]): void {
    for (let i = 0; i < types.length; i++) this.push(types[i]!);
  }

  /** Checks the operands on top against `types` and leaves them. */
  private peekAll(types: readonly number[]): void {
    const { frame } = this;
    let at = this.height;
    for (let i = types.length - 1; i >= 0; i--) {
      if (at === frame.height) {
        if (frame.unreachable) return;
        throw this.fault('W201', `expected ${valTypeName(types[i]!)}, but the stack is empty`);
      }
      const actual = this.types[--at]!;
      if (actual !== types[i]! && actual !== Bottom) throw this.mismatch(types[i]!, actual);
    }
  }

  // -- faults
  private fault(
    code: 'W101' | 'W105' | 'W106' | 'W201' | 'W202' | 'W204' | 'W207' | 'W301' | 'W501',
    text: string,
  ): DiagnosticError {
    return new DiagnosticError(code, text, { offset: this.at });
  }

  private mismatch(expected: number, actual: number): DiagnosticError {
    return this.fault('W201', `expected ${valTypeName(expected)}, found ${valTypeName(actual)}`);
  }

  private sameRef(a: number, b: number): void {
    if (a !== b) throw this.mismatch(a, b);
  }

  private unknown(opcode: number): DiagnosticError {
    const refused = refusedOpcode(opcode);
    const hex = `0x${opcode.toString(16).padStart(2, '0')}`;
    if (refused !== null) return this.fault('W301', `${refused} (opcode ${hex})`);
    return this.fault('W106', `illegal opcode ${hex}`);
  }
}

function sameTypes(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

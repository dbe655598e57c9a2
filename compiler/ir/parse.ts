// Reads the text form of the IR that ir/print.ts writes. Takes text, gives functions or a module; a fault in the text is
// a ParseError with its line. Does not check what the verifier checks (types, dominance).
import { LIBCALLS, type LibCall } from '../abi/libcalls.js';
import { TrapCode } from '../abi/traps.js';
import { type Block, type Edge, Func, type Inst } from './function.js';
import type {
  DataSegment,
  ElemSegment,
  ExportDecl,
  FuncDecl,
  GlobalDecl,
  ImportRef,
  IrModule,
  MemoryDecl,
  RefType,
  TableDecl,
} from './module.js';
import { Op, OP_BY_NAME, OPS } from './ops.js';
import { formatSignature, type Signature, Type, TYPE_NAMES } from './types.js';
import { setWindowRights } from './windows.js';

/** A fault in IR text; `line` counts from 1. */
export class ParseError extends Error {
  constructor(
    message: string,
    readonly line: number,
  ) {
    super(`line ${line}: ${message}`);
    this.name = 'ParseError';
  }
}

const LIBCALL_BY_SYMBOL: ReadonlyMap<string, LibCall> = new Map(Object.values(LIBCALLS).map((c) => [c.symbol, c]));
const TOKEN =
  /\s*(?:;.*$|("(?:[^"\\]|\\.)*"|->|\.\.|-?0x[0-9a-fA-F]+|-?\d+|[A-Za-z_$](?:[A-Za-z0-9_$-]|\.(?!\.))*|[@()[\]{}=:,!]))/y;

/** Tokens of one line with a cursor. */
class Line {
  private readonly tokens: string[] = [];
  private at = 0;
  constructor(
    text: string,
    readonly number: number,
  ) {
    TOKEN.lastIndex = 0;
    let end = 0;
    while (end < text.trimEnd().length) {
      TOKEN.lastIndex = end;
      const match = TOKEN.exec(text);
      if (match === null) this.fail(`unexpected "${text.slice(end).trim()}"`);
      if (match[1] === undefined) break;
      this.tokens.push(match[1]);
      end = TOKEN.lastIndex;
    }
  }
  fail(message: string): never {
    throw new ParseError(message, this.number);
  }
  get empty(): boolean {
    return this.at >= this.tokens.length;
  }
  peek(offset = 0): string | undefined {
    return this.tokens[this.at + offset];
  }
  next(): string {
    return this.tokens[this.at++] ?? this.fail('unexpected end of line');
  }
  accept(token: string): boolean {
    if (this.peek() !== token) return false;
    this.at++;
    return true;
  }
  expect(token: string): void {
    const got = this.next();
    if (got !== token) this.fail(`expected "${token}", not "${got}"`);
  }
  end(): void {
    if (!this.empty) this.fail(`unexpected "${this.peek()}"`);
  }
  integer(): number {
    const token = this.next();
    const value = Number(token);
    if (!Number.isSafeInteger(value)) this.fail(`expected a number, not "${token}"`);
    return value;
  }
  big(): bigint {
    const token = this.next();
    if (!/^-?(0x[0-9a-fA-F]+|\d+)$/.test(token)) this.fail(`expected a number, not "${token}"`);
    return token.startsWith('-') ? -BigInt(token.slice(1)) : BigInt(token);
  }
  string(): string {
    const token = this.next();
    if (!token.startsWith('"')) this.fail(`expected a string, not "${token}"`);
    return token
      .slice(1, -1)
      .replace(/\\(?:u\{([0-9a-f]+)\}|(.))/g, (_, code: string | undefined, char: string) =>
        code === undefined ? char : String.fromCodePoint(parseInt(code, 16)),
      );
  }
  name(): string {
    this.expect('@');
    return this.peek()?.startsWith('"') === true ? this.string() : this.next();
  }
  type(): Type {
    const token = this.next();
    const type = TYPE_NAMES.indexOf(token as (typeof TYPE_NAMES)[number]);
    return type < 0 ? this.fail(`unknown type "${token}"`) : (type as Type);
  }
  types(): Type[] {
    const types: Type[] = [];
    this.expect('(');
    while (!this.accept(')')) {
      if (types.length > 0) this.expect(',');
      types.push(this.type());
    }
    return types;
  }
  signature(): Signature {
    const params = this.types();
    this.expect('->');
    return { params, results: this.types() };
  }
  /** `name=` integer if it is next, else the default. */
  keyed(name: string, otherwise: number): number {
    if (this.peek() !== name || this.peek(1) !== '=') return otherwise;
    this.at += 2;
    return this.integer();
  }
}

class Reader {
  private at = 0;
  private readonly lines: Line[];
  constructor(text: string) {
    this.lines = text
      .split('\n')
      .map((line, i) => new Line(line, i + 1))
      .filter((line) => !line.empty);
  }
  get done(): boolean {
    return this.at >= this.lines.length;
  }
  get current(): Line {
    return this.lines[this.at]!;
  }
  take(): Line {
    return this.lines[this.at++] ?? new Line('', this.lines.length).fail('unexpected end of text');
  }
}

interface Pending {
  readonly line: Line;
  readonly inst: Inst;
  /** Names still to be resolved: operands, then edges. */
  readonly args: readonly string[];
  readonly edges: readonly { readonly block: string; readonly args: readonly string[] }[];
}

/** What `parseFunc` knows beside the function: the text line of every instruction, by id. */
export interface ParsedFunc {
  readonly func: Func;
  readonly lineOf: readonly number[];
}

class FuncReader {
  private readonly values = new Map<string, Inst>();
  private readonly blocks = new Map<string, Block>();
  private readonly pending: Pending[] = [];
  private readonly lineOf: number[] = [];
  private readonly func: Func;

  constructor(
    private readonly reader: Reader,
    header: Line,
  ) {
    header.expect('func');
    const index = header.integer();
    const name = header.name();
    this.func = new Func(index, name, header.signature());
    header.expect('{');
    header.end();
  }

  read(): ParsedFunc {
    let block: Block | null = null;
    for (;;) {
      const line = this.reader.take();
      if (line.accept('}')) break;
      if (
        /^block\d+$/.test(line.peek()!) &&
        (line.peek(1) === ':' || line.peek(1) === '(' || line.peek(1) === 'cold')
      ) {
        block = this.block(line);
      } else if (block === null) line.fail('instruction outside a block');
      else this.inst(line, block);
    }
    for (const { line, inst, args, edges } of this.pending) {
      inst.args = args.map((name) => this.value(line, name));
      if (edges.length > 0) {
        inst.edges = edges.map((edge): Edge => ({
          block: this.blocks.get(edge.block) ?? line.fail(`unknown block "${edge.block}"`),
          args: edge.args.map((name) => this.value(line, name)),
        }));
      }
    }
    return { func: this.func, lineOf: this.lineOf };
  }

  private value(line: Line, name: string): Inst {
    return this.values.get(name) ?? line.fail(`unknown value "${name}"`);
  }

  private define(line: Line, name: string, inst: Inst): void {
    if (this.values.has(name)) line.fail(`value "${name}" is defined twice`);
    this.values.set(name, inst);
  }

  private block(line: Line): Block {
    const name = line.next();
    if (this.blocks.has(name)) line.fail(`block "${name}" is defined twice`);
    const block = this.func.addBlock();
    this.blocks.set(name, block);
    if (line.accept('(')) {
      while (!line.accept(')')) {
        if (block.params.length > 0) line.expect(',');
        const param = line.next();
        line.expect(':');
        const inst = this.func.addParam(block, line.type());
        this.lineOf[inst.id] = line.number;
        this.define(line, param, inst);
      }
    }
    block.cold = line.accept('cold');
    line.expect(':');
    line.end();
    return block;
  }

  private inst(line: Line, block: Block): void {
    let result: string | null = null;
    let type: Type | null = null;
    let aux: unknown = null;
    if (/^v\d+$/.test(line.peek()!)) {
      result = line.next();
      if (line.accept(':')) {
        if (line.peek() === '(') {
          aux = line.types();
          type = Type.Multi;
        } else type = line.type();
      }
      line.expect('=');
    }
    const name = line.next();
    const op = OP_BY_NAME.get(name) ?? line.fail(`unknown op "${name}"`);
    const info = OPS[op]!;
    const inst = this.func.create(op, [], 0, 0, type ?? (info.result === 'dynamic' ? Type.Void : info.result));
    if (type !== null && info.result !== 'dynamic' && type !== info.result) line.fail(`${name} has a fixed type`);
    if ((inst.type !== Type.Void) !== (result !== null)) line.fail(`${name}: result and type do not go together`);
    inst.aux = aux;
    if (result !== null) this.define(line, result, inst);
    const args: string[] = [];
    const edges: { block: string; args: string[] }[] = [];
    let first = true;
    while (!line.empty && line.peek() !== '!') {
      if (!first) line.expect(',');
      first = false;
      this.part(line, inst, args, edges);
    }
    if (line.accept('!')) inst.loc = line.integer();
    line.end();
    this.lineOf[inst.id] = line.number;
    this.pending.push({ line, inst, args, edges });
    this.func.append(block, inst);
  }

  private part(line: Line, inst: Inst, args: string[], edges: { block: string; args: string[] }[]): void {
    const token = line.peek()!;
    if (token.startsWith('"')) {
      const text = line.string();
      inst.aux =
        inst.op === Op.LibCall ? (LIBCALL_BY_SYMBOL.get(text) ?? line.fail(`unknown libcall "${text}"`)) : text;
    } else if (/^block\d+$/.test(token)) {
      const edge = { block: line.next(), args: [] as string[] };
      if (line.accept('(')) {
        while (!line.accept(')')) {
          if (edge.args.length > 0) line.expect(',');
          edge.args.push(line.next());
        }
      }
      edges.push(edge);
    } else if (/^v\d+$/.test(token)) args.push(line.next());
    else if (/^-?\d/.test(token)) {
      const value = line.big();
      inst.imm = Number(BigInt.asIntN(32, value));
      if (inst.op === Op.I64Const || inst.op === Op.F64Const) inst.imm2 = Number(BigInt.asIntN(32, value >> 32n));
    } else {
      const key = line.next();
      line.expect('=');
      if (inst.op === Op.MemAddr && key === 'rights') {
        setWindowRights(inst, line.integer());
        return;
      }
      const index = OPS[inst.op]!.imm.indexOf(key);
      if (index < 0) line.fail(`${OPS[inst.op]!.name} has no immediate "${key}"`);
      const value =
        key === 'code' && line.peek()! in TrapCode ? TrapCode[line.next() as keyof typeof TrapCode] : line.integer();
      if (index === 0) inst.imm = value;
      else inst.imm2 = value;
    }
  }
}

/** Reads one function. */
export function parseFunc(text: string): ParsedFunc {
  const reader = new Reader(text);
  const parsed = new FuncReader(reader, reader.take()).read();
  if (!reader.done) reader.current.fail('text after the function');
  return parsed;
}

/** A module with, by function index, the text lines of its instructions by id. */
export interface ParsedModule {
  readonly module: IrModule;
  readonly lineOf: ReadonlyMap<number, readonly number[]>;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

function parseImport(line: Line): ImportRef | null {
  return line.accept('import') ? { module: line.string(), name: line.string() } : null;
}
function parseLimits(line: Line): [number, number | null] {
  const min = line.integer();
  line.expect('..');
  return [min, /^\d+$/.test(line.peek() ?? '') ? line.integer() : null];
}
function parseRefType(line: Line): RefType {
  const token = line.next();
  return token === 'funcref' || token === 'externref' ? token : line.fail(`unknown reference type "${token}"`);
}

/** Reads a module. Functions without a `decl` line get one; a module without an `init` line gets an empty init function. */
export function parseModule(text: string): ParsedModule {
  const reader = new Reader(text);
  const module: Mutable<IrModule> & {
    types: Signature[];
    funcs: FuncDecl[];
    memories: MemoryDecl[];
    tables: TableDecl[];
    globals: GlobalDecl[];
    data: DataSegment[];
    elems: ElemSegment[];
    exports: ExportDecl[];
  } = {
    name: 'module',
    types: [],
    funcs: [],
    memories: [],
    tables: [],
    globals: [],
    data: [],
    elems: [],
    exports: [],
    bodies: [],
    initIndex: -1,
  };
  const lineOf = new Map<number, readonly number[]>();
  const typeIndex = (sig: Signature): number => {
    const wanted = formatSignature(sig);
    const found = module.types.findIndex((t) => formatSignature(t) === wanted);
    return found >= 0 ? found : module.types.push(sig) - 1;
  };
  while (!reader.done) {
    if (reader.current.peek() === 'func') {
      const parsed = new FuncReader(reader, reader.take()).read();
      lineOf.set(parsed.func.index, parsed.lineOf);
      module.bodies.push(parsed.func);
      continue;
    }
    const line = reader.take();
    const keyword = line.next();
    switch (keyword) {
      case 'module':
        module.name = line.string();
        break;
      case 'type':
        if (line.integer() !== module.types.length) line.fail('types must be in order');
        module.types.push(line.signature());
        break;
      case 'decl': {
        const index = line.integer();
        const name = line.name();
        const sigIndex = line.peek() === '(' ? typeIndex(line.signature()) : line.keyed('type', -1);
        const signature = module.types[sigIndex] ?? line.fail('unknown type');
        const imported = parseImport(line);
        const addressTaken = line.accept('taken');
        const exported = line.accept('exported');
        const bodyOffset = line.keyed('body', 0);
        module.funcs[index] = {
          index,
          name,
          typeIndex: sigIndex,
          signature,
          import: imported,
          addressTaken,
          exported,
          bodyOffset,
        };
        break;
      }
      case 'memory': {
        const index = line.integer();
        const [minPages, maxPages] = parseLimits(line);
        const pageShift = line.keyed('shift', 16);
        const imported = parseImport(line);
        const growable = line.accept('growable');
        module.memories[index] = {
          index,
          import: imported,
          minPages,
          maxPages,
          pageShift,
          growable,
          exported: line.accept('exported'),
        };
        break;
      }
      case 'table': {
        const index = line.integer();
        const refType = parseRefType(line);
        const [min, max] = parseLimits(line);
        const imported = parseImport(line);
        const mutable = line.accept('mutable');
        const growable = line.accept('growable');
        module.tables[index] = {
          index,
          import: imported,
          refType,
          min,
          max,
          mutable,
          growable,
          exported: line.accept('exported'),
        };
        break;
      }
      case 'global': {
        const index = line.integer();
        const isRef = line.peek() === 'funcref' || line.peek() === 'externref';
        const refType = isRef ? parseRefType(line) : null;
        const type = isRef ? Type.I32 : line.type();
        const imported = parseImport(line);
        const mutable = line.accept('mutable');
        let init: [number, number] | null = null;
        if (line.accept('init')) {
          line.expect('=');
          const bits = line.big();
          init = [Number(BigInt.asIntN(32, bits)), Number(BigInt.asIntN(32, bits >> 32n))];
        }
        module.globals[index] = {
          index,
          import: imported,
          type,
          mutable,
          refType,
          init,
          exported: line.accept('exported'),
        };
        break;
      }
      case 'data': {
        const index = line.integer();
        const mode = line.next() as DataSegment['mode'];
        const memory = line.keyed('memory', 0);
        const hex = line.string();
        module.data[index] = {
          index,
          mode,
          memory,
          bytes: Uint8Array.from(hex.match(/../g) ?? [], (b) => parseInt(b, 16)),
        };
        break;
      }
      case 'elem': {
        const index = line.integer();
        const mode = line.next() as ElemSegment['mode'];
        const refType = parseRefType(line);
        const table = line.keyed('table', 0);
        const entries: (number | null)[] = [];
        line.expect('[');
        while (!line.accept(']')) {
          if (entries.length > 0) line.expect(',');
          entries.push(line.accept('null') ? null : line.integer());
        }
        module.elems[index] = { index, mode, refType, table, entries };
        break;
      }
      case 'export':
        module.exports.push({ name: line.string(), kind: line.next() as ExportDecl['kind'], index: line.integer() });
        break;
      case 'init':
        module.initIndex = line.integer();
        break;
      default:
        line.fail(`unknown declaration "${keyword}"`);
    }
    line.end();
  }
  completeModule(module, typeIndex);
  return { module, lineOf };
}

/** Adds what hand-written text leaves out: declarations of bodies, and the init function. */
function completeModule(
  module: Mutable<IrModule> & { funcs: FuncDecl[] },
  typeIndex: (sig: Signature) => number,
): void {
  for (const { index, name, signature } of module.bodies) {
    if (index === module.initIndex) continue;
    module.funcs[index] ??= {
      index,
      name,
      typeIndex: typeIndex(signature),
      signature,
      import: null,
      addressTaken: true,
      exported: module.exports.some((e) => e.kind === 'func' && e.index === index),
      bodyOffset: 0,
    };
  }
  if (module.initIndex >= 0) return;
  module.initIndex = module.funcs.length;
  const init = new Func(module.initIndex, 'init', { params: [], results: [] });
  init.append(init.addBlock(), init.create(Op.Return, []));
  module.bodies.push(init);
}

// The canonical text form of the IR. Takes functions and modules, gives text that ir/parse.ts reads back to the same IR;
// values are numbered densely in the order they appear. Knows no pass. Grammar: docs/ir.md.
import type { LibCall } from '../abi/libcalls.js';
import { TrapCode } from '../abi/traps.js';
import type { Block, Edge, Func, Inst } from './function.js';
import type { IrModule } from './module.js';
import { Op, OPS } from './ops.js';
import { formatSignature, Type, TYPE_NAMES } from './types.js';
import { windowRights } from './windows.js';

export interface PrintOptions {
  /** Append `!offset`, the byte offset in the .wasm file, to instructions that have one. */
  readonly locs?: boolean;
}

const TRAP_NAMES = new Map<number, string>(Object.entries(TrapCode).map(([name, code]) => [code, name]));
const BARE_NAME = /^[A-Za-z0-9_.$-]+$/;

/** `@name`, quoted where needed. */
export function formatName(name: string): string {
  return BARE_NAME.test(name) ? `@${name}` : `@${quote(name)}`;
}

/** A string with everything outside printable ASCII escaped as `\u{hex}`. */
export function quote(text: string): string {
  let out = '"';
  for (const char of text) {
    const code = char.codePointAt(0)!;
    out += char === '"' || char === '\\' ? `\\${char}` : code >= 32 && code < 127 ? char : `\\u{${code.toString(16)}}`;
  }
  return `${out}"`;
}

class FuncPrinter {
  private readonly names: string[] = [];
  private readonly blocks = new Map<Block, number>();

  constructor(
    private readonly func: Func,
    private readonly options: PrintOptions,
  ) {
    let next = 0;
    func.blocks.forEach((block, i) => {
      this.blocks.set(block, i);
      for (const param of block.params) this.names[param.id] = `v${next++}`;
      for (const inst of block.insts) if (inst.type !== Type.Void) this.names[inst.id] = `v${next++}`;
    });
  }

  /** Values from outside the function (a broken function) show as `?id`. */
  value(inst: Inst): string {
    return this.names[inst.id] ?? `?${inst.id}`;
  }

  edge(edge: Edge): string {
    const name = `block${this.blocks.get(edge.block) ?? `?${edge.block.id}`}`;
    return edge.args.length === 0 ? name : `${name}(${edge.args.map((a) => this.value(a)).join(', ')})`;
  }

  inst(inst: Inst): string {
    const info = OPS[inst.op]!;
    const parts: string[] = [];
    if (inst.op === Op.Symbol) parts.push(quote(String(inst.aux)));
    if (inst.op === Op.LibCall) parts.push(quote((inst.aux as LibCall).symbol));
    for (const arg of inst.args) parts.push(this.value(arg));
    parts.push(...immediates(inst));
    for (const edge of inst.edges) parts.push(this.edge(edge));
    let text = info.name;
    if (parts.length > 0) text += ` ${parts.join(', ')}`;
    if (inst.type !== Type.Void) {
      const type = info.result === 'dynamic' ? `: ${typeText(inst)}` : '';
      text = `${this.value(inst)}${type} = ${text}`;
    }
    if (this.options.locs === true && inst.loc !== 0) text += ` !${this.func.offsetOf(inst.loc)}`;
    return text;
  }

  print(header: string): string {
    const lines = [`${header} {`];
    for (const block of this.func.blocks) {
      const params = block.params.map((p) => `${this.value(p)}: ${TYPE_NAMES[p.type]}`).join(', ');
      const cold = block.cold ? ' cold' : '';
      lines.push(`block${this.blocks.get(block)!}${params === '' ? '' : `(${params})`}${cold}:`);
      for (const inst of block.insts) lines.push(`  ${this.inst(inst)}`);
    }
    lines.push('}');
    return lines.join('\n') + '\n';
  }
}

function typeText(inst: Inst): string {
  if (inst.type !== Type.Multi || inst.op === Op.LibCall) return TYPE_NAMES[inst.type];
  return `(${((inst.aux as readonly Type[] | null) ?? []).map((t) => TYPE_NAMES[t]).join(', ')})`;
}

const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, '0');

function immediates(inst: Inst): string[] {
  switch (inst.op) {
    case Op.I32Const:
      return [String(inst.imm)];
    case Op.I64Const:
      return [String((BigInt(inst.imm2) << 32n) | BigInt(inst.imm >>> 0))];
    case Op.F32Const:
      return [`0x${hex(inst.imm)}`];
    case Op.F64Const:
      return [`0x${hex(inst.imm2)}${hex(inst.imm)}`];
    default: {
      const names = OPS[inst.op]!.imm;
      const out: string[] = [];
      if (names.length > 0 && names[0] !== 'unused') {
        const value = names[0] === 'code' ? (TRAP_NAMES.get(inst.imm) ?? inst.imm) : inst.imm;
        out.push(`${names[0]}=${value}`);
      }
      if (names.length > 1 && inst.imm2 !== 0) out.push(`${names[1]}=${inst.imm2}`);
      if (inst.op === Op.MemAddr && windowRights(inst) !== 0) out.push(`rights=${windowRights(inst)}`);
      return out;
    }
  }
}

/** One function's text. */
export function printFunc(func: Func, options: PrintOptions = {}): string {
  return new FuncPrinter(func, options).print(
    `func ${func.index} ${formatName(func.name)}${formatSignature(func.signature)}`,
  );
}

/** A function that gives the text of single instructions and blocks of `func`, for messages. */
export function instPrinter(func: Func): (inst: Inst) => string {
  const printer = new FuncPrinter(func, {});
  return (inst) => (inst.op === Op.Param ? printer.value(inst) : printer.inst(inst));
}

/** A whole module: declarations, then bodies. */
export function printModule(ir: IrModule, options: PrintOptions = {}): string {
  const lines: string[] = [`module ${quote(ir.name)}`];
  const flags = (...list: (string | false)[]): string =>
    list
      .filter((f) => f !== false)
      .map((f) => ` ${f}`)
      .join('');
  const imported = (d: { import: { module: string; name: string } | null }): string | false =>
    d.import !== null && `import ${quote(d.import.module)} ${quote(d.import.name)}`;
  const limits = (min: number, max: number | null): string => ` ${min}..${max ?? ''}`;
  ir.types.forEach((sig, i) => lines.push(`type ${i} ${formatSignature(sig)}`));
  for (const f of ir.funcs) {
    lines.push(
      `decl ${f.index} ${formatName(f.name)} type=${f.typeIndex}` +
        flags(
          imported(f),
          f.addressTaken && 'taken',
          f.exported && 'exported',
          f.bodyOffset !== 0 && `body=${f.bodyOffset}`,
        ),
    );
  }
  for (const m of ir.memories) {
    lines.push(
      `memory ${m.index}${limits(m.minPages, m.maxPages)} shift=${m.pageShift}` +
        flags(imported(m), m.growable && 'growable', m.exported && 'exported'),
    );
  }
  for (const t of ir.tables) {
    lines.push(
      `table ${t.index} ${t.refType}${limits(t.min, t.max)}` +
        flags(imported(t), t.mutable && 'mutable', t.growable && 'growable', t.exported && 'exported'),
    );
  }
  for (const g of ir.globals) {
    const init = g.init === null ? false : `init=0x${hex(g.init[1])}${hex(g.init[0])}`;
    const type = g.refType ?? TYPE_NAMES[g.type];
    lines.push(
      `global ${g.index} ${type}` + flags(imported(g), g.mutable && 'mutable', init, g.exported && 'exported'),
    );
  }
  for (const d of ir.data) {
    const bytes = [...d.bytes].map((b) => b.toString(16).padStart(2, '0')).join('');
    lines.push(`data ${d.index} ${d.mode} memory=${d.memory} "${bytes}"`);
  }
  for (const e of ir.elems) {
    const entries = e.entries.map((x) => x ?? 'null').join(', ');
    lines.push(`elem ${e.index} ${e.mode} ${e.refType} table=${e.table} [${entries}]`);
  }
  for (const e of ir.exports) lines.push(`export ${quote(e.name)} ${e.kind} ${e.index}`);
  lines.push(`init ${ir.initIndex}`);
  return `${lines.join('\n')}\n\n${ir.bodies.map((f) => printFunc(f, options)).join('\n')}`;
}

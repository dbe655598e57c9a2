// Takes module text that npm's wabt converts wrongly or not at all: `(pagesize N)` clauses (its JavaScript API has no switch)
// and active data segments of memories other than the first (its writer leaves the index out). Gives the right binary by
// patching the memory types and data segments. Knows the text of memories and data, and nothing else.
import { atomText, isList, parseSExprs, type SExpr, type SList } from './sexpr.js';

interface MemoryText {
  readonly name: string | undefined;
  /** log2 of the page size, or undefined without a clause. */
  readonly shift: number | undefined;
  /** Length of inline data, which sets the limits. */
  readonly inlineData: number | undefined;
}

const CLAUSE = /\(\s*pagesize\s+[0-9a-fx_]+\s*\)/gi;

function describe(memory: SList): MemoryText {
  const name = memory.items.map(atomText).find((t) => t?.startsWith('$') === true);
  const clause = memory.items.find((i): i is SList => isList(i, 'pagesize'));
  const data = memory.items.find((i): i is SList => isList(i, 'data'));
  const size = clause === undefined ? undefined : Number(atomText(clause.items[1])!.replace(/_/g, ''));
  return {
    name,
    shift: size === undefined ? undefined : Math.log2(size),
    inlineData:
      data === undefined ? undefined : data.items.reduce((n, s) => n + (s.kind === 'string' ? s.bytes.length : 0), 0),
  };
}

interface ModuleText {
  /** Memories in index order: imported ones, then defined ones. */
  readonly imported: MemoryText[];
  readonly defined: MemoryText[];
  /** Memory operand of each data segment in order, `undefined` for none. */
  readonly data: (string | undefined)[];
}

function describeModule(text: string): ModuleText {
  const imported: MemoryText[] = [];
  const defined: MemoryText[] = [];
  const data: (string | undefined)[] = [];
  const visit = (e: SExpr): void => {
    if (!isList(e)) return;
    const head = atomText(e.items[0]);
    if (head === 'import') {
      const memory = e.items.find((i): i is SList => isList(i, 'memory'));
      if (memory) imported.push(describe(memory));
    } else if (head === 'memory') {
      (e.items.some((i) => isList(i, 'import')) ? imported : defined).push(describe(e));
      // Inline data is a segment of its own; wabt writes the right index for it only when it is 0.
      if (e.items.some((i) => isList(i, 'data'))) data.push(String(imported.length + defined.length - 1));
    } else if (head === 'data') {
      const memory = e.items.find((i): i is SList => atomText(isList(i) ? i.items[0] : undefined) === 'memory');
      data.push(atomText(memory?.items[1]));
    }
  };
  for (const e of parseSExprs(text)) if (isList(e, 'module')) e.items.forEach(visit);
  return { imported, defined, data };
}

function leb(value: number): number[] {
  const out: number[] = [];
  do {
    const byte = value % 128;
    value = Math.floor(value / 128);
    out.push(value > 0 ? byte | 0x80 : byte);
  } while (value > 0);
  return out;
}

class Cursor {
  at = 0;
  constructor(readonly bytes: Uint8Array) {}
  byte(): number {
    return this.bytes[this.at++]!;
  }
  leb(): number {
    let result = 0;
    let factor = 1;
    for (;;) {
      const b = this.byte();
      result += (b & 0x7f) * factor;
      factor *= 128;
      if (b < 0x80) return result;
    }
  }
  skipName(): void {
    const n = this.leb();
    this.at += n;
  }
  copySince(start: number): number[] {
    return [...this.bytes.subarray(start, this.at)];
  }
}

/** Re-emits one memory type at the cursor with the text's page size. */
function memoryType(c: Cursor, text: MemoryText): number[] {
  const flags = c.byte();
  let min = c.leb();
  let max = flags & 1 ? c.leb() : undefined;
  if (text.inlineData !== undefined && text.shift !== undefined) {
    min = max = Math.ceil(text.inlineData / 2 ** text.shift);
  }
  return [
    flags | (text.shift === undefined ? 0 : 8),
    ...leb(min),
    ...(max === undefined ? [] : leb(max)),
    ...(text.shift === undefined ? [] : leb(text.shift)),
  ];
}

function importSection(c: Cursor, memories: MemoryText[]): number[] {
  const count = c.leb();
  const out = leb(count);
  for (let i = 0; i < count; i++) {
    const start = c.at;
    c.skipName();
    c.skipName();
    const kind = c.byte();
    if (kind === 2) {
      out.push(...c.copySince(start), ...memoryType(c, memories.shift()!));
      continue;
    }
    if (kind === 0) c.leb();
    else if (kind === 1) {
      c.byte();
      if (c.byte() & 1) c.leb();
      c.leb();
    } else c.at += 2;
    out.push(...c.copySince(start));
  }
  return out;
}

/** Skips the constant expression at the cursor. */
function skipExpression(c: Cursor): void {
  for (;;) {
    const opcode = c.byte();
    if (opcode === 0x0b) return;
    if (opcode === 0x41 || opcode === 0x42 || opcode === 0x23 || opcode === 0xd2) c.leb();
    else if (opcode === 0xd0) c.byte();
  }
}

/** Re-emits the data section; segments with flag 2 get the memory index that wabt left out. */
function dataSection(c: Cursor, text: ModuleText): number[] {
  const memories = [...text.imported, ...text.defined];
  const count = c.leb();
  const out = leb(count);
  for (let i = 0; i < count; i++) {
    const flags = c.byte();
    out.push(flags);
    const start = c.at;
    if (flags === 2) {
      const operand = text.data[i] ?? '0';
      out.push(...leb(operand.startsWith('$') ? memories.findIndex((m) => m.name === operand) : Number(operand)));
    }
    if (flags !== 1) skipExpression(c);
    const length = c.leb();
    c.at += length;
    out.push(...c.copySince(start));
  }
  return out;
}

/** Undefined when the text has none of the two, or a page size that is no power of two. */
export function convertWithGaps(text: string, convertRest: (text: string) => Uint8Array): Uint8Array | undefined {
  const module = describeModule(text);
  const memories = [...module.imported, ...module.defined];
  const otherMemory = module.data.some((operand) => operand !== undefined);
  if (text.search(CLAUSE) < 0 && !otherMemory) return undefined;
  if (memories.some((m) => m.shift !== undefined && !Number.isInteger(m.shift))) return undefined;
  const c = new Cursor(convertRest(text.replace(CLAUSE, '')));
  const out = [...c.bytes.subarray(0, 8)];
  c.at = 8;
  while (c.at < c.bytes.length) {
    const id = c.byte();
    const end = c.leb() + c.at;
    let body: number[];
    if (id === 2) body = importSection(c, [...module.imported]);
    else if (id === 5) {
      const count = c.leb();
      body = leb(count);
      for (let i = 0; i < count; i++) body.push(...memoryType(c, module.defined[i]!));
    } else if (id === 11) body = dataSection(c, module);
    else body = [...c.bytes.subarray(c.at, end)];
    out.push(id, ...leb(body.length), ...body);
    c.at = end;
  }
  return Uint8Array.from(out);
}

// Takes module text with `(pagesize N)` clauses, which npm's wabt cannot read, and a converter that can read the rest;
// gives the binary with the clauses put back into its memory types. Knows the text of memories and nothing else.
import { atomText, isList, parseSExprs, type SExpr, type SList } from './sexpr.js';

interface MemoryText {
  /** log2 of the page size, or undefined without a clause. */
  readonly shift: number | undefined;
  /** Length of inline data, which sets the limits. */
  readonly inlineData: number | undefined;
}

const CLAUSE = /\(\s*pagesize\s+[0-9a-fx_]+\s*\)/gi;

function describe(memory: SList): MemoryText {
  const clause = memory.items.find((i): i is SList => isList(i, 'pagesize'));
  const data = memory.items.find((i): i is SList => isList(i, 'data'));
  const size = clause === undefined ? undefined : Number(atomText(clause.items[1])!.replace(/_/g, ''));
  return {
    shift: size === undefined ? undefined : Math.log2(size),
    inlineData:
      data === undefined ? undefined : data.items.reduce((n, s) => n + (s.kind === 'string' ? s.bytes.length : 0), 0),
  };
}

/** Memories of a module text in index order: imported ones first. */
function memoriesOf(text: string): { imported: MemoryText[]; defined: MemoryText[] } {
  const imported: MemoryText[] = [];
  const defined: MemoryText[] = [];
  const visit = (e: SExpr): void => {
    if (!isList(e)) return;
    const head = atomText(e.items[0]);
    if (head === 'import') {
      const memory = e.items.find((i): i is SList => isList(i, 'memory'));
      if (memory) imported.push(describe(memory));
    } else if (head === 'memory') {
      (e.items.some((i) => isList(i, 'import')) ? imported : defined).push(describe(e));
    }
  };
  for (const e of parseSExprs(text)) if (isList(e, 'module')) e.items.forEach(visit);
  return { imported, defined };
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

/** Undefined when the text has no such clause, or a page size that is no power of two. */
export function convertWithPageSizes(text: string, convertRest: (text: string) => Uint8Array): Uint8Array | undefined {
  if (text.search(CLAUSE) < 0) return undefined;
  const { imported, defined } = memoriesOf(text);
  if ([...imported, ...defined].some((m) => m.shift !== undefined && !Number.isInteger(m.shift))) return undefined;
  const c = new Cursor(convertRest(text.replace(CLAUSE, '')));
  const out = [...c.bytes.subarray(0, 8)];
  c.at = 8;
  while (c.at < c.bytes.length) {
    const id = c.byte();
    const end = c.leb() + c.at;
    let body: number[];
    if (id === 2) body = importSection(c, imported);
    else if (id === 5) {
      const count = c.leb();
      body = leb(count);
      for (let i = 0; i < count; i++) body.push(...memoryType(c, defined[i]!));
    } else body = [...c.bytes.subarray(c.at, end)];
    out.push(id, ...leb(body.length), ...body);
    c.at = end;
  }
  return Uint8Array.from(out);
}

// Last step of a function: a code buffer in, [literals, jump tables, signature word, code] with relocations and sites
// out. Knows encodings through the table only; no ABI and no frame.
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { encode } from '../isa/encode.js';
import { Op, rowOf } from '../isa/table.js';
import type { Relocation, Site } from '../compiled.js';
import { type CodeBuffer, stubBytes } from './code-buffer.js';
import { Form, INVERTED_BYTES, ItemKind, JUMP_BYTES, branchInfo } from './label-use.js';
import { relax, type CodeLayout } from './relax.js';

/** L32R reaches back 256 KiB, counted from its own address rounded up. */
const LITERAL_REACH = 0x40000 - 4;

export interface EncodedFunction {
  readonly bytes: Uint8Array;
  readonly entry: number;
  /** Offset from the entry of the buffer's `frameStart`. */
  readonly frameStart: number;
  readonly relocations: Relocation[];
  readonly sites: Site[];
  readonly lines: (readonly [number, number])[];
  readonly dataRanges: (readonly [number, number])[];
}

/**
 * @param symbol the function's own symbol, whose value is its entry
 * @param signature signature word to put before the entry, or null
 */
export function encodeFunction(buffer: CodeBuffer, symbol: string, signature: number | null): EncodedFunction {
  const layout = relax(buffer);
  const tableBytes = buffer.tables.reduce((sum, table) => sum + 4 * table.length, 0);
  const entry = 4 * buffer.literals.length + tableBytes + (signature === null ? 0 : 4);
  if (buffer.literals.length > 0 && entry + layout.offsets[buffer.count]! > LITERAL_REACH) {
    throw new DiagnosticError('W501', 'function exceeds 256 KiB of machine code, the reach of its literals');
  }
  const writer = new Writer(buffer, layout, symbol, entry);
  writer.pool(signature);
  writer.code();
  const sites = writer.sites();
  return {
    bytes: writer.bytes,
    entry,
    frameStart: layout.offsets[buffer.frameStart]!,
    relocations: writer.relocations,
    sites,
    lines: buffer.lines.map(([item, loc]) => [entry + layout.offsets[item]!, loc] as const),
    dataRanges: entry > 0 ? [[0, entry]] : [],
  };
}

class Writer {
  readonly bytes: Uint8Array;
  readonly relocations: Relocation[] = [];
  private readonly view: DataView;
  private readonly tableOffsets: number[] = [];
  /** Operand lists to reuse, by length. */
  private readonly scratch: readonly number[][] = [[], [0], [0, 0], [0, 0, 0], [0, 0, 0, 0]];

  constructor(
    private readonly buffer: CodeBuffer,
    private readonly layout: CodeLayout,
    private readonly symbol: string,
    private readonly entry: number,
  ) {
    this.bytes = new Uint8Array(entry + layout.offsets[buffer.count]!);
    this.view = new DataView(this.bytes.buffer);
    let at = 4 * buffer.literals.length;
    for (const table of buffer.tables) {
      this.tableOffsets.push(at);
      at += 4 * table.length;
    }
  }

  pool(signature: number | null): void {
    const { buffer, entry, relocations } = this;
    buffer.literals.forEach(({ symbol, value, table }, i) => {
      if (table >= 0) {
        const addend = this.tableOffsets[table]! - entry;
        relocations.push({ offset: 4 * i, kind: 'abs32', symbol: this.symbol, addend });
      } else if (symbol !== null) {
        relocations.push({ offset: 4 * i, kind: 'abs32', symbol, addend: value });
      } else {
        this.view.setInt32(4 * i, value, true);
      }
    });
    buffer.tables.forEach((table, t) => {
      table.forEach((label, k) => {
        const addend = this.layout.offsets[buffer.labels[label]!]!;
        relocations.push({ offset: this.tableOffsets[t]! + 4 * k, kind: 'abs32', symbol: this.symbol, addend });
      });
    });
    if (signature !== null) this.view.setInt32(entry - 4, signature, true);
  }

  code(): void {
    const { buffer, layout } = this;
    let next = 0;
    for (let i = 0; i <= buffer.count; i++) {
      while (next < layout.islands.length && layout.islands[next]!.item === i) this.island(next++);
      if (i < buffer.count) this.item(i);
    }
  }

  private island(k: number): void {
    const island = this.layout.islands[k]!;
    let at = this.layout.islandOffsets[k]!;
    if (island.jumpOver) {
      this.put(at, Op.J, [this.layout.offsets[island.item]! - at]);
      at += 3;
    }
    for (const stub of island.stubs) {
      this.stub(at, stub);
      at += stubBytes(this.buffer.stubs[stub]!);
    }
  }

  private stub(at: number, s: number): void {
    const { label } = this.buffer.stubs[s]!;
    if (label < 0) this.put(at, Op.ILL_N, []);
    else this.put(at, Op.J, [this.layout.offsets[this.buffer.labels[label]!]! - at]);
  }

  private item(i: number): void {
    const { buffer, layout, entry } = this;
    const at = layout.offsets[i]!;
    const op = buffer.op[i]!;
    const ref = buffer.ref[i]!;
    switch (buffer.kind[i]) {
      case ItemKind.Plain: {
        const values = this.scratch[rowOf(op).operands.length]!;
        for (let k = 0; k < values.length; k++) values[k] = buffer.operands[4 * i + k]!;
        this.put(at, op, values);
        return;
      }
      case ItemKind.Branch:
        this.branch(i, at, layout.offsets[buffer.labels[ref]!]!);
        return;
      case ItemKind.Check:
        this.branch(i, at, layout.stubOffsets[ref]!);
        return;
      case ItemKind.Jump:
        this.put(at, Op.J, [layout.offsets[buffer.labels[ref]!]! - at]);
        return;
      case ItemKind.Loop:
        this.put(at, Op.LOOP, [buffer.operands[4 * i]!, layout.offsets[buffer.labels[ref]!]! - at]);
        return;
      case ItemKind.Literal:
        this.put(at, Op.L32R, [buffer.operands[4 * i]!, 4 * ref - (entry + at)]);
        return;
      case ItemKind.Align:
        this.align(at, layout.offsets[i + 1]!);
        return;
      case ItemKind.Data:
        for (let k = 0; k < 3; k++) this.bytes[entry + at + k] = ref >> (8 * k);
        return;
      case ItemKind.Symbol:
        // The field stays zero; the relocation fills it in.
        this.put(at, op, [op === Op.CALL0 ? 4 - ((entry + at) & 3) : 4]);
        this.relocations.push({ offset: entry + at, kind: 'slot0', symbol: buffer.symbols[ref]!, addend: 0 });
        return;
    }
  }

  private align(from: number, to: number): void {
    let at = from;
    if (((to - at) & 1) === 1) {
      this.put(at, Op.NOP, []);
      at += 3;
    }
    if (at < to) this.put(at, Op.NOP_N, []);
  }

  private branch(i: number, at: number, target: number): void {
    const { buffer, layout } = this;
    const op = buffer.op[i]!;
    const info = branchInfo(op);
    const a = buffer.operands[4 * i]!;
    const b = buffer.operands[4 * i + 1]!;
    const one = rowOf(op).operands.length === 2;
    switch (layout.forms[i]) {
      case Form.Narrow:
        this.put(at, info.narrow, [a, target - at]);
        return;
      case Form.Direct:
        this.put(at, op, one ? [a, target - at] : [a, b, target - at]);
        return;
      default: {
        const isCheck = buffer.kind[i] === ItemKind.Check;
        const skipped = isCheck ? stubBytes(buffer.stubs[buffer.ref[i]!]!) : JUMP_BYTES;
        const over = INVERTED_BYTES + skipped;
        this.put(at, info.inverse, one ? [a, over] : [a, b, over]);
        if (isCheck) this.stub(at + INVERTED_BYTES, buffer.ref[i]!);
        else this.put(at + INVERTED_BYTES, Op.J, [target - (at + INVERTED_BYTES)]);
      }
    }
  }

  private put(at: number, op: number, operands: readonly number[]): void {
    const pc = this.entry + at;
    const word = encode(op, operands, pc);
    const { bytes } = this;
    bytes[pc] = word;
    bytes[pc + 1] = word >> 8;
    if (rowOf(op).size === 3) bytes[pc + 2] = word >> 16;
  }

  /** All sites, in code order; where a return address is itself a trapping instruction, the trap comes first. */
  sites(): Site[] {
    const { buffer, layout, entry } = this;
    const sites: Site[] = buffer.sites.map(({ item, after, code, loc }) => ({
      offset: entry + (after ? layout.offsets[item]! + rowOf(buffer.op[item]!).size : layout.offsets[item]!),
      code,
      wasmOffset: loc,
    }));
    buffer.stubs.forEach(({ item, label, code, loc }, s) => {
      if (label >= 0) return;
      const stub = layout.stubOffsets[s]!;
      sites.push({
        offset: entry + (stub >= 0 ? stub : layout.offsets[item]! + INVERTED_BYTES),
        code,
        wasmOffset: loc,
      });
    });
    return sites.sort((a, b) => a.offset - b.offset || a.code - b.code);
  }
}

// A small two-pass assembler for tests and tools: text with labels and data directives in, bytes and label addresses
// out. Every statement has one size, known before addresses are; no relaxation, no sections, no relocations.

import { encode } from './encode.js';
import { AssemblyError, evaluate, parseOperands, splitInstruction } from './parse.js';
import type { ParseContext, SplitInstruction } from './parse.js';
import { Op } from './table.js';

export interface AssembleOptions {
  /** Address of the first byte; default 0. */
  readonly origin?: number;
  /** Symbols known from outside. */
  readonly symbols?: ReadonlyMap<string, number>;
}

export interface Assembled {
  readonly bytes: Uint8Array;
  /** Address of each label, and value of each `.set`. */
  readonly labels: ReadonlyMap<string, number>;
}

/** A statement with its place. `emit` fills its bytes when all labels are known. */
interface Statement {
  readonly line: number;
  readonly pc: number;
  readonly size: number;
  readonly emit: (out: Uint8Array, offset: number, context: ParseContext) => void;
}

/**
 * Assembles `text`: one statement a line (or several, split by `;`), comments from `#` or `//`.
 * Labels `name:`, numeric ones `1:` with `1b`/`1f`. Directives: `.align N` (bytes; padding is nops, a lone byte is 0),
 * `.byte`, `.short`, `.word`, `.space N[, fill]`, `.set name, value`.
 * @throws AssemblyError with the line number in its message
 */
export function assemble(text: string, options: AssembleOptions = {}): Assembled {
  const origin = options.origin ?? 0;
  const labels = new Map<string, number>();
  const numeric = new Map<string, number[]>();
  const statements: Statement[] = [];
  let pc = origin;
  const context = (at: number): ParseContext => ({
    pc: at,
    resolve: (symbol) => labels.get(symbol) ?? numericLabel(numeric, symbol, at) ?? options.symbols?.get(symbol),
  });
  text.split('\n').forEach((source, index) => {
    const line = index + 1;
    located(line, () => {
      for (const part of source.replace(/(#|\/\/).*$/, '').split(';')) {
        const rest = takeLabels(part, (name) => define(name, pc, labels, numeric));
        if (rest === '') continue;
        const set = /^\.set\s+([\w.$]+)\s*,(.*)$/.exec(rest);
        if (set !== null) {
          define(set[1] as string, evaluate(set[2] as string, context(pc)), labels, numeric);
          continue;
        }
        const statement = sized(rest, line, pc, context(pc));
        statements.push(statement);
        pc += statement.size;
      }
    });
  });
  const bytes = new Uint8Array(pc - origin);
  for (const statement of statements) {
    located(statement.line, () => statement.emit(bytes, statement.pc - origin, context(statement.pc)));
  }
  return { bytes, labels };
}

function located(line: number, action: () => void): void {
  try {
    action();
  } catch (error) {
    if (error instanceof AssemblyError) throw new AssemblyError(`line ${line}: ${error.message}`);
    throw error;
  }
}

function takeLabels(text: string, found: (name: string) => void): string {
  let rest = text.trim();
  for (;;) {
    const match = /^([\w.$!]+)\s*:\s*/.exec(rest);
    if (match === null) return rest;
    found(match[1] as string);
    rest = rest.slice(match[0].length);
  }
}

function define(name: string, value: number, labels: Map<string, number>, numeric: Map<string, number[]>): void {
  if (/^\d+$/.test(name)) {
    const places = numeric.get(name);
    if (places === undefined) numeric.set(name, [value]);
    else places.push(value);
    return;
  }
  if (labels.has(name)) throw new AssemblyError(`symbol ${name} is defined twice`);
  labels.set(name, value);
}

/** `1b` is the last `1:` at or before `pc`, `1f` the first after it. */
function numericLabel(numeric: ReadonlyMap<string, number[]>, symbol: string, pc: number): number | undefined {
  const match = /^(\d+)([fb])$/.exec(symbol);
  if (match === null) return undefined;
  const places = numeric.get(match[1] as string) ?? [];
  return match[2] === 'b' ? places.findLast((at) => at <= pc) : places.find((at) => at > pc);
}

function sized(text: string, line: number, pc: number, context: ParseContext): Statement {
  if (!text.startsWith('.')) return instruction(splitInstruction(text), line, pc);
  const [directive, ...words] = text.split(/\s+/);
  const operands = words.join(' ').split(',');
  switch (directive) {
    case '.byte':
      return data(operands, 1, line, pc);
    case '.short':
      return data(operands, 2, line, pc);
    case '.word':
      return data(operands, 4, line, pc);
    case '.space': {
      const size = evaluate(operands[0] as string, context);
      const fill = operands[1] === undefined ? 0 : evaluate(operands[1], context);
      if (size < 0) throw new AssemblyError(`.space of ${size} bytes`);
      return { line, pc, size, emit: (out, offset) => out.fill(fill, offset, offset + size) };
    }
    case '.align': {
      const alignment = evaluate(operands[0] as string, context);
      if (alignment < 1 || (alignment & (alignment - 1)) !== 0) throw new AssemblyError(`.align ${alignment}`);
      return padding(-pc & (alignment - 1), line, pc);
    }
    default:
      throw new AssemblyError(`unknown directive ${directive}`);
  }
}

function instruction(split: SplitInstruction, line: number, pc: number): Statement {
  return {
    line,
    pc,
    size: split.row.size,
    emit: (out, offset, context) => {
      const word = encode(split.row.opcode, parseOperands(split, context), pc);
      store(out, offset, split.row.size, word);
    },
  };
}

function data(values: readonly string[], width: number, line: number, pc: number): Statement {
  return {
    line,
    pc,
    size: values.length * width,
    emit: (out, offset, context) => {
      values.forEach((value, i) => {
        const number = evaluate(value, context);
        const limit = 2 ** (8 * width);
        if (number >= limit || number < -limit / 2) throw new AssemblyError(`${value} does not fit ${width} bytes`);
        store(out, offset + i * width, width, number);
      });
    },
  };
}

function padding(size: number, line: number, pc: number): Statement {
  return {
    line,
    pc,
    size,
    emit: (out, offset) => {
      let left = size;
      let at = offset;
      while (left > 1) {
        const step = left === 2 || left === 4 ? 2 : 3;
        store(out, at, step, encode(step === 2 ? Op.NOP_N : Op.NOP, []));
        at += step;
        left -= step;
      }
    },
  };
}

function store(out: Uint8Array, offset: number, width: number, value: number): void {
  for (let i = 0; i < width; i++) out[offset + i] = Math.floor(value / 2 ** (8 * i)) & 255;
}

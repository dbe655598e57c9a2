// Takes the console text of a device and what is known of its image, gives the text with names and source lines, and the
// reports in it as data. Knows the form of reports (firmware/core/report.c, os-report.c); refuses to know files.
import type { SourceLine } from '../compiler/wasm/debug-line.js';

export interface ExplainedFrame {
  readonly func: number;
  readonly name: string | null;
  /** Byte offset in the .wasm. */
  readonly wasmOffset: number;
  readonly module: string | null;
  readonly source: SourceLine | null;
}

export interface ExplainedReport {
  /** `trap: out of bounds memory access`, `deadline expired`, ... */
  readonly what: string;
  readonly module: string | null;
  readonly version: string | null;
  /** Where the processor was, for machine exceptions: `rt_memory_copy+0x12`. */
  readonly native: string | null;
  readonly frames: readonly ExplainedFrame[];
}

/** What is known of an image. */
export interface Knowledge {
  /** Modules of the image. */
  readonly modules: readonly string[];
  readonly functionName: (module: string, index: number) => string | null;
  readonly sourceLine: (module: string, wasmOffset: number) => SourceLine | null;
  readonly nativeName: (address: number) => string | null;
}

export interface Explanation {
  /** Everything that was on the console, frames with what is known of them. */
  readonly text: string;
  readonly reports: readonly ExplainedReport[];
}

const FAULT = /\bfault: module (\S+) (\S+): (.*)$/;
const TRAP = /^\s*((?:trap: .*|deadline expired|killed))\s*$/;
const FRAME = /^(\s*#\d+ )(?:func (\d+)(?: (.*?))?|start-up) @0x([0-9a-fA-F]+)(?: in (\S+))?\s*$/;
const PC = /\bpc 0x([0-9a-fA-F]+)/;
const NO_FUNCTION = 0xffffffff;

interface OpenReport {
  readonly what: string;
  readonly module: string | null;
  readonly version: string | null;
  readonly native: string | null;
  readonly frames: ExplainedFrame[];
}

export function explain(console: string, known: Knowledge): Explanation {
  const reports: OpenReport[] = [];
  const only = known.modules.length === 1 ? known.modules[0]! : null;
  let current: OpenReport | null = null;
  const lines = console.split('\n').map((raw) => {
    const line = raw.replace(/\r$/, '');
    const fault = FAULT.exec(line);
    const what = fault?.[3] ?? TRAP.exec(line)?.[1];
    if (what !== undefined) {
      const pc = PC.exec(what);
      const native = pc === null ? null : known.nativeName(Number.parseInt(pc[1]!, 16));
      current = { what, module: fault?.[1] ?? only, version: fault?.[2] ?? null, native, frames: [] };
      reports.push(current);
      return native === null ? line : `${line}  in ${native}`;
    }
    const match = FRAME.exec(line);
    if (match === null) return line;
    const [, head, number, given, offset, inModule] = match;
    const module = inModule ?? current?.module ?? only;
    const func = number === undefined ? NO_FUNCTION : Number(number);
    const wasmOffset = Number.parseInt(offset!, 16);
    const name = given ?? (module === null ? null : known.functionName(module, func));
    const source = module === null ? null : known.sourceLine(module, wasmOffset);
    current?.frames.push({ func, name, wasmOffset, module, source });
    const place = source === null ? '' : `  ${formatSource(source)}`;
    const label = func === NO_FUNCTION ? 'start-up' : `func ${func}${name === null ? '' : ` ${name}`}`;
    return `${head}${label} @0x${offset}${inModule === undefined ? '' : ` in ${inModule}`}${place}`;
  });
  return { text: lines.join('\n'), reports };
}

export function formatSource({ file, line, column }: SourceLine): string {
  return `${file}:${line}${column > 0 ? `:${column}` : ''}`;
}

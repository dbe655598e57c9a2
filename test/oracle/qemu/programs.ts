// Compiled modules as whole images in QEMU and in the simulator: every call's results, trap, place and backtrace, then
// memories and globals, bit for bit. Takes generated modules or scripts of real ones; gives the differences.

import { compileModule } from '../../../backend-xtensa/compile-module.js';
import type { OptLevel } from '../../../compiler/passes/pipeline.js';
import type { BoardDescription } from '../../../compiler/abi/boards.js';
import { ESP32_LARGE } from '../../../compiler/abi/boards.js';
import { RT_MAILBOX, WASM_STOP } from '../../../compiler/abi/layout.js';
import { exportSymbol, initSymbol } from '../../../compiler/abi/symbols.js';
import { StopReason, TRAP_MESSAGES } from '../../../compiler/abi/traps.js';
import { frontend } from '../../../compiler/driver.js';
import { DE233_FPU_CPU, ESP32_CPU } from '../../../simulator/profiles.js';
import { link } from '../../../linker/link.js';
import type { LinkedImage } from '../../../linker/linked.js';
import type { InputObject } from '../../../linker/object.js';
import { readObject } from '../../../linker/read-object.js';
import { loadRuntimeObjects } from '../../../linker/runtime-objects.js';
import { callsFor } from '../../fuzz/compare.js';
import type { GeneratedModule } from '../../fuzz/generate.js';
import { isWide } from '../../fuzz/engine.js';
import { toWords, wordsOf } from '../../runner/slot-device.js';
import type { MemoryPart } from './bare.js';
import { runInQemu, runInSimulator } from './bare.js';
import type { ImageCall, MemoryRange, SupervisedImage } from './supervisor.js';
import { COPY, EXTERNAL, INPUT, RECORD_BYTES, supervise } from './supervisor.js';

const BOARD: BoardDescription = {
  ...ESP32_LARGE,
  name: 'esp32-oracle',
  description: 'esp32 with 48 MiB of RAM that only the oracle has',
  flashBytes: 0x1000000,
  external: EXTERNAL,
};
const STACK_BYTES = 0x8000;
/** What a memory may grow to: all of it is compared. */
const GROWTH_LIMIT = 0x200000;

/** A call of an export, or bytes that the host writes into the memory. */
export type SubjectStep =
  { readonly name: string; readonly args: readonly bigint[] } | { readonly at: number; readonly bytes: Uint8Array };

/** A module and what is done with it. */
export interface Subject {
  /** What importers call it, if there are any. */
  readonly importedAs?: string;
  readonly bytes: Uint8Array;
  readonly steps: readonly SubjectStep[];
  readonly globals: readonly { readonly name: string; readonly words: number }[];
}

export interface ProgramReport {
  readonly modules: number;
  readonly calls: number;
  readonly trapped: number;
  readonly memoryBytes: number;
  readonly codeBytes: number;
  readonly differences: readonly string[];
}

/** A module of the fuzzer with its calls. */
export function subjectOf(module: GeneratedModule): Subject {
  return {
    bytes: module.bytes,
    steps: callsFor(module).map(({ func, args }) => ({ name: `f${func}`, args })),
    globals: module.globals.map((type, i) => ({ name: `g${i}`, words: isWide(type) ? 2 : 1 })),
  };
}

interface Linked {
  readonly image: LinkedImage;
  /** What the calls bring along. */
  readonly inputs: readonly MemoryPart[];
  readonly codeBytes: number;
  readonly calls: readonly (ImageCall & { readonly text: string })[];
  readonly ranges: readonly (MemoryRange & { readonly text: string })[];
}

/** Gives the exports another module name; in place, because sections know their object. */
function renamed(object: InputObject, from: string, to: string): InputObject {
  if (object.info === null) return object;
  const names = new Map(object.info.exports.map(({ name }) => [exportSymbol(from, name), exportSymbol(to, name)]));
  const rename = (name: string): string => names.get(name) ?? name;
  const symbols = object.symbols.map((symbol) => ({ ...symbol, name: rename(symbol.name) }));
  const exports = object.info.exports.map((entry) => ({ ...entry, symbol: rename(entry.symbol) }));
  return Object.assign(object, { symbols, info: { ...object.info, exports } });
}

function linkSubjects(subjects: readonly Subject[], level: OptLevel): Linked {
  let codeBytes = 0;
  const nameOf = (i: number): string => `m${i}`;
  const objects = subjects.map(({ bytes, importedAs }, i) => {
    const compiled = compileModule(frontend(bytes, { name: nameOf(i) }), { level });
    codeBytes += compiled.stats.codeBytes;
    const object = readObject(compiled.object, nameOf(i), 'module');
    return importedAs === undefined ? object : renamed(object, nameOf(i), importedAs);
  });
  const image = link([...loadRuntimeObjects(), ...objects], BOARD, {
    stackBytes: STACK_BYTES,
    growthLimit: GROWTH_LIMIT,
    code: 'flash',
    rodata: 'flash',
  });
  const address = (symbol: string): number => {
    const found = image.symbols.get(symbol);
    if (found === undefined) throw new Error(`no symbol ${symbol}`);
    return found.address;
  };
  const inputs: MemoryPart[] = [];
  let cursor = INPUT;
  const input = (data: Uint8Array): number => {
    const at = cursor;
    inputs.push({ address: at, data });
    cursor += (data.length + 3) & ~3;
    return at;
  };
  const calls = subjects.flatMap((subject, i) => {
    const init = { entry: address(initSymbol(nameOf(i))), args: [], resultWords: 0, text: `module ${i} $init` };
    const rest = subject.steps.map((step, k) => {
      if ('at' in step) {
        const target = image.memories.find(({ module }) => module === nameOf(i))?.address ?? 0;
        const text = `module ${i} write of ${step.bytes.length} bytes at ${step.at}`;
        return { entry: COPY, args: [target + step.at, input(step.bytes), step.bytes.length], resultWords: 0, text };
      }
      const { name, args } = step;
      const entry = objects[i]?.info?.exports.find((e) => e.name === name && e.kind === 'func');
      const [params = '', results = ''] = (entry?.signature ?? ':').split(':');
      const words = toWords(args, params);
      const text = `module ${i} call ${k} ${name}(${args.map((a) => a.toString(16)).join(', ')})`;
      return { entry: address(exportSymbol(nameOf(i), name)), args: words, resultWords: wordsOf(results), text };
    });
    return [init, ...rest];
  });
  const memories = image.memories.map(({ module, index, address: at, capacity }) => {
    return { address: at, length: capacity, text: `${module} memory ${index}` };
  });
  const globals = subjects.flatMap((subject, i) =>
    subject.globals.map(({ name, words }) => {
      return { address: address(exportSymbol(nameOf(i), name)), length: 4 * words, text: `${nameOf(i)} ${name}` };
    }),
  );
  return { image, inputs, codeBytes, calls, ranges: [...memories, ...globals].filter(({ length }) => length > 0) };
}

function supervised(image: LinkedImage, inputs: readonly MemoryPart[]): SupervisedImage {
  const segments = image.segments.flatMap(({ address, bytes }) => (bytes === null ? [] : [{ address, data: bytes }]));
  const address = (name: string): number => {
    const found = image.symbols.get(name) ?? image.symbolList.find((symbol) => symbol.name === name);
    if (found === undefined) throw new Error(`the image has no symbol ${name}`);
    return found.address;
  };
  return { parts: [...segments, ...inputs.filter(({ data }) => data.length > 0)], address };
}

/**
 * Links all subjects into one image and runs it on QEMU, and in the simulator both as QEMU's core and as the chip: there
 * MULUH, MULSH and unaligned accesses work, which the supervisor does by hand on the others.
 */
export function compareSubjects(subjects: readonly Subject[], level: OptLevel): ProgramReport {
  const { image, inputs, codeBytes, calls, ranges } = linkSubjects(subjects, level);
  const programs = supervise(supervised(image, inputs), calls, ranges);
  const theirs = runInQemu(programs.qemu);
  const differences: string[] = [];
  for (const cpu of [DE233_FPU_CPU, ESP32_CPU]) {
    const ours = runInSimulator(programs.simulator, true, cpu);
    for (const output of [theirs, ours]) {
      if (output.length !== programs.outputBytes) throw new Error(`${output.length} bytes of ${programs.outputBytes}`);
    }
    differences.push(...compareOutputs(theirs, ours, calls, ranges).map((line) => `${cpu.name}: ${line}`));
  }
  const records = calls.map((_, i) => theirs.subarray(i * RECORD_BYTES, (i + 1) * RECORD_BYTES));
  const trapped = records.filter((record) => endingOf(record).startsWith('trap')).length;
  const memoryBytes = programs.outputBytes - calls.length * RECORD_BYTES;
  return { modules: subjects.length, calls: calls.length, trapped, memoryBytes, codeBytes, differences };
}

function compareOutputs(
  theirs: Uint8Array,
  ours: Uint8Array,
  calls: Linked['calls'],
  ranges: Linked['ranges'],
): string[] {
  const differences: string[] = [];
  const both = (at: number, length: number): [Uint8Array, Uint8Array] => [
    theirs.subarray(at, at + length),
    ours.subarray(at, at + length),
  ];
  calls.forEach(({ text }, i) => {
    const [a, b] = both(i * RECORD_BYTES, RECORD_BYTES);
    const offset = firstDifference(a, b);
    if (offset < 0) return;
    differences.push(`${text}: qemu ${endingOf(a)}, simulator ${endingOf(b)}, first at byte ${offset} of the record`);
  });
  let at = calls.length * RECORD_BYTES;
  for (const { text, length } of ranges) {
    const [a, b] = both(at, length);
    at += length;
    if (Buffer.compare(a, b) === 0) continue;
    const offset = a.findIndex((byte, i) => byte !== b[i]);
    differences.push(`${text}: byte ${offset} is ${a[offset]} in qemu, ${b[offset]} in the simulator`);
  }
  return differences;
}

const word = (record: Uint8Array, offset: number): number =>
  new DataView(record.buffer, record.byteOffset, record.byteLength).getUint32(offset, true);

/** Words of a record that differ by nature: time; and EXCVADDR, left from unaligned accesses where those raise. */
const IGNORED: readonly number[] = [RT_MAILBOX.offset.cycles_low, RT_MAILBOX.offset.stop + WASM_STOP.offset.vaddr];

function firstDifference(a: Uint8Array, b: Uint8Array): number {
  return a.findIndex((byte, i) => byte !== b[i] && !IGNORED.some((word) => i >= word && i < word + 4));
}

function endingOf(record: Uint8Array): string {
  const stop = RT_MAILBOX.offset.stop;
  const reason = word(record, stop + WASM_STOP.offset.reason);
  if (reason === StopReason.Trapped) {
    const code = word(record, stop + WASM_STOP.offset.trap_code);
    const pc = word(record, stop + WASM_STOP.offset.pc).toString(16);
    return `trap ${TRAP_MESSAGES[code] ?? code} at ${pc}`;
  }
  if (reason !== StopReason.Returned) return `stop reason ${reason}`;
  const count = Math.min(word(record, RT_MAILBOX.offset.result_count), RT_MAILBOX.size / 4);
  const results = Array.from({ length: count }, (_, i) => word(record, RT_MAILBOX.offset.results + 4 * i).toString(16));
  return `returned ${results.join(' ')}`;
}

// A simulated ESP32 with compiled modules and canaries around everything they own. Takes module texts, gives how calls ended and
// which bytes changed that no module may change. Knows no test case.
import type { CompileOptions } from '../../backend-xtensa/compile-module.js';
import { BOARDS } from '../../compiler/abi/boards.js';
import { EXCEPTION_STACK_BYTES, LinkerSymbol } from '../../compiler/abi/linker-symbols.js';
import { TRAP_MESSAGES } from '../../compiler/abi/traps.js';
import { Device, hostAddresses, type Ending, type Invocation } from '../../cli/device.js';
import { buildImage } from '../../linker/build.js';
import { writeElf } from '../../linker/elf-output.js';
import type { LinkedImage } from '../../linker/linked.js';
import { readElf } from '../../verifier/elf.js';
import { Image, type MemoryObject } from '../../verifier/image.js';
import { convert } from '../spec/convert.js';
import { toWords, wordsOf } from '../runner/slot-device.js';

const MAX_INSTRUCTIONS = 20_000_000;
/** What unused RAM is filled with. */
const CANARY = 0xc5;
/** Registers and the MMU are no memory; flash cannot be written. */
const RAM_KINDS: ReadonlySet<string> = new Set(['ram']);
const CHUNK = 4096;

interface Range {
  readonly start: number;
  readonly end: number;
}

export function wasmOf(text: string): Uint8Array {
  const converted = convert({ kind: 'text', text, bytes: new Uint8Array(), id: undefined, definition: false });
  if (!converted.ok) throw new Error(converted.reason);
  return converted.bytes;
}

export const endingText = (ending: Ending): string => {
  if (ending.kind === 'trapped') return TRAP_MESSAGES[ending.code] ?? `trap ${ending.code}`;
  return ending.kind === 'limit' ? 'instruction limit' : ending.kind;
};

/** A module besides the one under test, which nothing that happens there may touch. */
const NEIGHBOUR = `(module (memory (export "memory") 1 2) (global (export "g") (mut i64) (i64.const 0x1122334455667788))
  (table (export "table") 4 funcref) (elem (i32.const 0) $f $f) (data (i32.const 0) "neighbour")
  (func $f (export "f") (param i32) (result i32) (local.get 0)))`;

export class CanaryDevice {
  readonly device: Device;
  readonly linked: LinkedImage;
  readonly image: Image;
  readonly boot: Invocation;
  private readonly ram: readonly Range[];
  private before: Uint8Array[] = [];

  /** Boots with the module `app` between two others. */
  constructor(text: string, compile: CompileOptions, stackBytes = 8192) {
    const board = BOARDS.get('esp32-large')!;
    const inputs = [
      { bytes: wasmOf(NEIGHBOUR), file: 'below.wasm', name: 'below' },
      { bytes: wasmOf(text), file: 'app.wasm', name: 'app' },
      { bytes: wasmOf(NEIGHBOUR), file: 'above.wasm', name: 'above' },
    ];
    const link = { stackBytes, growthLimit: 0x60000 };
    const { linked, image } = buildImage(inputs, { board, compile, link });
    this.linked = linked;
    this.image = new Image(readElf(writeElf(linked), 'app.elf'), 'app.elf');
    this.device = new Device(image, board, hostAddresses(linked.symbols));
    this.boot = this.device.boot({ maxInstructions: MAX_INSTRUCTIONS });
    this.ram = board.regions.filter((r) => RAM_KINDS.has(r.kind)).map((r) => ({ start: r.base, end: r.base + r.size }));
    this.paint();
    this.arm();
  }

  /** Fills what no segment and no stack uses. */
  private paint(): void {
    const used = [
      ...this.linked.segments.map((s) => ({ start: s.address, end: s.address + s.size })),
      ...this.writable(),
    ]
      .concat(this.linked.memories.map((m) => ({ start: m.address, end: m.address + m.capacity })))
      .sort((a, b) => a.start - b.start);
    for (const { start, end } of this.ram) {
      let at = start;
      for (const range of [...used.filter((r) => r.end > start && r.start < end), { start: end, end }]) {
        if (range.start > at) this.device.machine.writeMemory(at, new Uint8Array(range.start - at).fill(CANARY));
        at = Math.max(at, range.end);
      }
    }
  }

  private symbol(name: string): number {
    return this.linked.symbols.get(name)!.address;
  }

  /** What calls into `app` may change: its objects, stacks, the runtime's own variables. */
  private writable(): Range[] {
    const own = this.image.objects.filter((o) => o.module === 'app' || o.kind === 'argument-buffer');
    const ranges = own.map((object) => ({ start: object.start, end: object.start + this.currentSize(object) }));
    const runtime = this.linked.sections.filter(
      (s) => s.origin === 'runtime' && (s.kind === 'data' || s.kind === 'bss'),
    );
    ranges.push(...runtime.map((s) => ({ start: s.address, end: s.address + s.size })));
    const bottom = this.symbol(LinkerSymbol.WasmStackBottom);
    const top = this.symbol(LinkerSymbol.WasmStackTop);
    ranges.push({ start: bottom, end: top });
    if (this.image.shadow !== null) ranges.push({ start: bottom + this.image.shadow, end: top + this.image.shadow });
    const exception = this.symbol(LinkerSymbol.ExceptionStackTop);
    ranges.push({ start: exception - EXCEPTION_STACK_BYTES, end: exception });
    return ranges;
  }

  /** Contents that grow may change only as far as they have grown. */
  private currentSize(object: MemoryObject): number {
    if (object.peer === null || (object.kind !== 'memory-bytes' && object.kind !== 'table-entries')) return object.size;
    // `bytes` of struct wasm_memory and `size` of struct wasm_table come second.
    const units = this.device.word(object.peer.start + 4);
    return object.kind === 'memory-bytes' ? units : 4 * units;
  }

  /** Remembers all RAM. */
  arm(): void {
    this.before = this.ram.map(({ start, end }) => this.device.machine.readMemory(start, end - start));
  }

  /** Addresses that changed since `arm` and are nobody's that `app` may change; at most `limit`. */
  touched(limit = 4): number[] {
    const allowed = this.writable();
    const found: number[] = [];
    this.ram.forEach(({ start, end }, i) => {
      const now = this.device.machine.readMemory(start, end - start);
      const was = this.before[i]!;
      for (let at = 0; at < was.length && found.length < limit; at += CHUNK) {
        if (Buffer.compare(now.subarray(at, at + CHUNK), was.subarray(at, at + CHUNK)) === 0) continue;
        for (let k = at; k < Math.min(at + CHUNK, was.length) && found.length < limit; k++) {
          const address = start + k;
          if (now[k] !== was[k] && !allowed.some((r) => address >= r.start && address < r.end)) found.push(address);
        }
      }
    });
    return found;
  }

  /** @param args numbers or bigints by the export's signature */
  call(name: string, ...args: readonly (number | bigint)[]): Invocation {
    const module = this.device.modules().find((m) => m.name === 'app')!;
    const found = module.exports.find((e) => e.name === name)!;
    const [params = '', results = ''] = found.signature.split(':');
    const bits = args.map((a, i) => (params[i] === 'I' || params[i] === 'F' ? BigInt(a) : BigInt(Number(a) | 0)));
    return this.device.invoke(found.code, toWords(bits, params), wordsOf(results), {
      maxInstructions: MAX_INSTRUCTIONS,
    });
  }
}

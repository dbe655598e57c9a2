// Links modules one after the other into one address space, as the slot device does, and gives the whole as an ELF
// executable for the verifier. Runs nothing. Knows no script and no test.
import { compileModule, type CompileOptions } from '../../backend-xtensa/compile-module.js';
import { exportSymbol } from '../../compiler/abi/symbols.js';
import { frontend } from '../../compiler/driver.js';
import { writeElf } from '../../linker/elf-output.js';
import { link, linkInto } from '../../linker/link.js';
import type { LinkedImage, LinkedSegment, LinkedSymbol } from '../../linker/linked.js';
import { readObject } from '../../linker/read-object.js';
import { loadRuntimeObjects } from '../../linker/runtime-objects.js';
import type { ObjectInfo } from '../../compiler/abi/object-info.js';
import { MODULE_INTERFACE, SUITE_BOARD } from '../runner/slot-device.js';

const CODE = { base: 0x400d0000, end: 0x400d0000 + 0x2f0000 };
const DATA = { base: 0x10001000, end: 0x30000000 };
const GROWTH_BYTES = 0x1000000;
const roundUp = (value: number): number => Math.ceil(value / 16) * 16;

export interface WorldModule {
  readonly name: string;
  readonly info: ObjectInfo;
}

let runtime: LinkedImage | undefined;

export class LinkWorld {
  private readonly base: LinkedImage;
  private image: LinkedImage;
  private readonly segments: LinkedSegment[];
  private readonly symbols: LinkedSymbol[];
  private codeCursor = CODE.base;
  private dataCursor = DATA.base;

  constructor(private readonly compile: CompileOptions) {
    // A shadow stack, so that every mode of control-flow integrity can be linked.
    runtime ??= link(loadRuntimeObjects(), SUITE_BOARD, {
      keep: MODULE_INTERFACE,
      stackBytes: 0x8000,
      shadowStack: true,
    });
    this.base = this.image = runtime;
    this.segments = [...this.base.segments];
    this.symbols = [...this.base.symbolList];
  }

  /** Compiles and links a module. @throws DiagnosticError for its faults */
  load(bytes: Uint8Array, name: string): WorldModule {
    const compiled = compileModule(frontend(bytes, { name }), this.compile);
    const object = readObject(compiled.object, name, 'module');
    const slot = {
      code: { base: this.codeCursor, end: CODE.end },
      data: { base: this.dataCursor, end: DATA.end },
    };
    const linked = linkInto(this.image, [object], slot, { growthLimit: GROWTH_BYTES });
    for (const segment of linked.segments) {
      const end = roundUp(segment.address + segment.size);
      if (segment.address >= CODE.base) this.codeCursor = Math.max(this.codeCursor, end);
      else this.dataCursor = Math.max(this.dataCursor, end);
    }
    for (const { address, capacity } of linked.memories)
      this.dataCursor = Math.max(this.dataCursor, roundUp(address + capacity));
    this.segments.push(...linked.segments);
    this.symbols.push(...linked.symbolList);
    this.image = linked;
    return { name, info: object.info! };
  }

  /** Lets later modules import the module's exports under another name. */
  alias(as: string, { info }: WorldModule): void {
    const symbols = new Map(this.image.symbols);
    const exports = info.exports.map((entry) => {
      const symbol = exportSymbol(as, entry.name);
      const aliased = { ...symbols.get(entry.symbol)!, name: symbol };
      symbols.set(symbol, aliased);
      this.symbols.push(aliased);
      return { ...entry, symbol };
    });
    this.image = { ...this.image, symbols, modules: [...this.image.modules, { file: as, info: { ...info, exports } }] };
  }

  /** Everything linked so far. */
  elf(): Uint8Array {
    return writeElf({ ...this.image, entry: this.base.entry, segments: this.segments, symbolList: this.symbols });
  }
}

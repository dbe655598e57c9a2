// A simulated device that modules are added to while it runs (D8): boots an image of the runtime alone once, then links
// each module to the next free slot, writes it, instantiates it, calls its exports. Takes Wasm bytes and value bits,
// gives outcomes. Knows neither scripts nor fuzzers.
import { compileModule, type CompileOptions } from '../../backend-xtensa/compile-module.js';
import { ESP32_LARGE, type AddressRange, type BoardDescription } from '../../compiler/abi/boards.js';
import { RT_MAILBOX, WASM_MEMORY, WASM_TABLE } from '../../compiler/abi/layout.js';
import { THINGSPIRE_MODULE } from '../../compiler/abi/os-imports.js';
import type { ObjectInfo } from '../../compiler/abi/object-info.js';
import { exportSymbol, initSymbol, moduleSymbol } from '../../compiler/abi/symbols.js';
import { TRAP_MESSAGES } from '../../compiler/abi/traps.js';
import { frontend } from '../../compiler/driver.js';
import { DiagnosticError, InternalError } from '../../compiler/diagnostics.js';
import { Device, hostAddresses, type Ending, type Invocation } from '../../cli/device.js';
import { writeFlashImage } from '../../linker/image/flash.js';
import { link, linkInto } from '../../linker/link.js';
import type { LinkedImage } from '../../linker/linked.js';
import { readObject } from '../../linker/read-object.js';
import { loadRuntimeObjects } from '../../linker/runtime-objects.js';
import { LINK_INTERFACE } from '../../manifest/build.js';

/** Room for suites whose memories exceed any chip. Exists only in tests. */
const EXTERNAL: AddressRange = { base: 0x10000000, end: 0x30000000 };
export const SUITE_BOARD: BoardDescription = {
  ...ESP32_LARGE,
  name: 'esp32-suite',
  description: 'esp32 with 512 MiB of RAM at an address no chip has; exists only in tests',
  regions: [
    ...ESP32_LARGE.regions.filter((r) => r.name !== 'PSRAM'),
    {
      ...ESP32_LARGE.regions.find((r) => r.name === 'PSRAM')!,
      base: EXTERNAL.base,
      size: EXTERNAL.end - EXTERNAL.base,
    },
  ],
  external: EXTERNAL,
};

/** Flash pages from here on hold module code; they are mapped from IROM_BASE on. */
const CODE_FLASH_OFFSET = 0x100000;
const CODE: AddressRange = { base: 0x400d0000, end: 0x400d0000 + 0x2f0000 };
const PAGE = 0x10000;
const PRO_MMU_TABLE = 0x3ff10000;
const PRO_CACHE_CTRL = 0x3ff00040;
const PRO_CACHE_ENABLE = 1 << 3;
const PRO_CACHE_CTRL1 = 0x3ff00044;
const PRO_CACHE_MASK_IRAM0 = 1 << 0;
/** Entry of the first IROM page of CODE in the MMU table. */
const FIRST_MMU_ENTRY = 77;
/** The module pointer array lives at the start of the external memory. */
const MODULE_ARRAY_BYTES = 0x1000;
/** Most that a memory may grow to; the suites grow one by 803 pages. */
const GROWTH_BYTES = 0x4000000;
const STACK_BYTES = 0x8000;

export interface SlotModule {
  readonly name: string;
  readonly info: ObjectInfo;
  /** Machine code with its literals. */
  readonly codeBytes: number;
}

export interface SlotDeviceOptions {
  readonly compile: CompileOptions;
  /** Instructions for one invocation. */
  readonly maxInstructions: number;
  readonly stackBytes?: number;
}

/** Runtime functions that modules may call; the kernel of the device OS stays out. */
export const MODULE_INTERFACE = LINK_INTERFACE.filter((name) => !name.startsWith(`${THINGSPIRE_MODULE}.`));

let baseImage: LinkedImage | undefined;

function runtimeImage(stackBytes: number): LinkedImage {
  if (baseImage === undefined)
    baseImage = link(loadRuntimeObjects(), SUITE_BOARD, { keep: MODULE_INTERFACE, stackBytes });
  return baseImage;
}

const roundUp = (value: number, align: number): number => Math.ceil(value / align) * align;

export class SlotDevice {
  private readonly base: LinkedImage;
  private readonly device: Device;
  private image: LinkedImage;
  private codeCursor = CODE.base;
  private dataCursor = EXTERNAL.base + MODULE_ARRAY_BYTES;
  private moduleCount = 0;

  constructor(private readonly options: SlotDeviceOptions) {
    this.base = runtimeImage(options.stackBytes ?? STACK_BYTES);
    this.image = this.base;
    this.device = new Device(writeFlashImage(this.base), SUITE_BOARD, hostAddresses(this.base.symbols));
    this.reset();
  }

  get machine(): Device['machine'] {
    return this.device.machine;
  }

  /** A device with nothing but the runtime. */
  reset(): void {
    this.clear();
    const booted = this.device.boot();
    if (booted.ending.kind !== 'returned') throw new InternalError(`the runtime did not boot: ${booted.ending.kind}`);
    this.mapCode();
  }

  /** Forgets all modules without a new boot: for many small modules in a row. */
  clear(): void {
    this.image = this.base;
    this.codeCursor = CODE.base;
    this.dataCursor = EXTERNAL.base + MODULE_ARRAY_BYTES;
    this.moduleCount = 0;
  }

  /** What the firmware does for an image with code in flash. */
  private mapCode(): void {
    const { bus } = this.machine;
    const pages = (CODE.end - CODE.base) / PAGE;
    for (let i = 0; i < pages; i++) {
      bus.store32(PRO_MMU_TABLE + 4 * (FIRST_MMU_ENTRY + i), CODE_FLASH_OFFSET / PAGE + i);
    }
    bus.store32(PRO_CACHE_CTRL1, bus.load32(PRO_CACHE_CTRL1) & ~PRO_CACHE_MASK_IRAM0);
    bus.store32(PRO_CACHE_CTRL, bus.load32(PRO_CACHE_CTRL) | PRO_CACHE_ENABLE);
  }

  /**
   * Compiles, links and writes a module, without running any of it.
   * @throws DiagnosticError for its faults and those of its imports, W403 when there is no room
   */
  load(bytes: Uint8Array, name: string): SlotModule {
    const compiled = compileModule(frontend(bytes, { name }), this.options.compile);
    const object = readObject(compiled.object, name, 'module');
    const slot = {
      code: { base: this.codeCursor, end: CODE.end },
      data: { base: this.dataCursor, end: EXTERNAL.end },
    };
    // Several modules grow in one script: none takes more than an eighth of what is left.
    const growthLimit = Math.min(GROWTH_BYTES, Math.floor((EXTERNAL.end - this.dataCursor) / 8));
    const linked = linkInto(this.withCurrentSizes(), [object], slot, { growthLimit });
    for (const segment of linked.segments) {
      const end = segment.address + segment.size;
      this.machine.writeMemory(segment.address, segment.bytes ?? new Uint8Array(segment.size));
      if (segment.address >= CODE.base) this.codeCursor = roundUp(end, 16);
      else this.dataCursor = Math.max(this.dataCursor, roundUp(end, 16));
    }
    for (const memory of linked.memories) {
      this.dataCursor = Math.max(this.dataCursor, roundUp(memory.address + memory.capacity, 16));
    }
    this.image = linked;
    this.announce(name);
    return { name, info: object.info!, codeBytes: compiled.stats.codeBytes };
  }

  /** The image with memories and tables of loaded modules declared as large as they are now. */
  private withCurrentSizes(): LinkedImage {
    const modules = this.image.modules.map(({ file, info }) => {
      const exports = info.exports.map((entry) => ({ ...entry, ...this.currentType(entry) }));
      return { file, info: { ...info, exports } };
    });
    return { ...this.image, modules };
  }

  private currentType({ kind, symbol, type }: ObjectInfo['exports'][number]): { readonly type?: string } {
    if (type === undefined || (kind !== 'memory' && kind !== 'table')) return {};
    const offset = kind === 'memory' ? WASM_MEMORY.offset.pages : WASM_TABLE.offset.size;
    const size = this.machine.readWord(this.address(symbol) + offset) >>> 0;
    return { type: [size, ...type.split(':').slice(1)].join(':') };
  }

  /** Tells the fault handler of the module. */
  private announce(name: string): void {
    const mailbox = this.base.symbols.get('rt_mailbox')!.address;
    this.machine.writeWord(EXTERNAL.base + 4 * this.moduleCount, this.address(moduleSymbol(name)));
    this.moduleCount++;
    this.machine.writeWord(mailbox + RT_MAILBOX.offset.modules, EXTERNAL.base);
    this.machine.writeWord(mailbox + RT_MAILBOX.offset.module_count, this.moduleCount);
  }

  /** Runs the module's init function. */
  instantiate(module: SlotModule): Invocation {
    return this.device.invoke(this.address(initSymbol(module.name)), [], 0, this.limits);
  }

  /** Lets later modules import the module's exports under another name. */
  alias(as: string, module: SlotModule): void {
    const symbols = new Map(this.image.symbols);
    const exports = module.info.exports.map((entry) => {
      const symbol = exportSymbol(as, entry.name);
      symbols.set(symbol, { ...symbols.get(entry.symbol)!, name: symbol });
      return { ...entry, symbol };
    });
    const modules = [...this.image.modules, { file: as, info: { ...module.info, exports } }];
    this.image = { ...this.image, symbols, modules };
  }

  /** Words of the result, or how it ended otherwise. */
  call(module: SlotModule, name: string, words: readonly number[], resultWords: number): Invocation {
    return this.device.invoke(this.address(exportSymbol(module.name, name)), words, resultWords, this.limits);
  }

  signature(module: SlotModule, name: string): string {
    const found = module.info.exports.find((e) => e.name === name && e.kind === 'func');
    if (found?.signature === undefined) throw new DiagnosticError('W603', `no exported function "${name}"`);
    return found.signature;
  }

  /** Address of a symbol of any loaded module. */
  address(symbol: string): number {
    const found = this.image.symbols.get(symbol);
    if (found === undefined) throw new InternalError(`no symbol ${symbol}`);
    return found.address;
  }

  private get limits(): { maxInstructions: number; measureStack: boolean } {
    return { maxInstructions: this.options.maxInstructions, measureStack: false };
  }
}

/** The trap's message, or undefined when the invocation did not trap. */
export function trapMessage(ending: Ending): string | undefined {
  switch (ending.kind) {
    case 'trapped':
      return TRAP_MESSAGES[ending.code] ?? `trap ${ending.code}`;
    case 'limit':
      return 'instruction limit';
    case 'returned':
      return undefined;
    default:
      return ending.kind;
  }
}

/** Wasm values as words: canonical signature letters tell how many each takes. */
export function toWords(bits: readonly bigint[], letters: string): number[] {
  return bits.flatMap((value, i) => {
    const low = Number(BigInt.asIntN(32, value));
    return letters[i] === 'I' || letters[i] === 'F' ? [low, Number(BigInt.asIntN(32, value >> 32n))] : [low];
  });
}

export function wordsOf(letters: string): number {
  return [...letters].reduce((n, letter) => n + (letter === 'I' || letter === 'F' ? 2 : 1), 0);
}

export function fromWords(words: readonly number[], letters: string): bigint[] {
  let at = 0;
  return [...letters].map((letter) => {
    const low = BigInt(words[at++]! >>> 0);
    return letter === 'I' || letter === 'F' ? (BigInt(words[at++]! >>> 0) << 32n) | low : low;
  });
}

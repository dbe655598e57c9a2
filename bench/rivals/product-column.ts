// The product's own column: Wasm through wasm-aot and its linker into a flash image, booted on the simulated chip, then
// one call of the export with every check on. Knows the product only by its public entries.
import type { CompileOptions } from '../../backend-xtensa/compile-module.js';
import { compileModule } from '../../backend-xtensa/compile-module.js';
import { ESP32 } from '../../compiler/abi/boards.js';
import { exportSymbol } from '../../compiler/abi/symbols.js';
import { frontend } from '../../compiler/driver.js';
import type { BuildResult } from '../../linker/build.js';
import { buildImage } from '../../linker/build.js';
import type { LinkedImage } from '../../linker/linked.js';
import { Machine } from '../../simulator/machine.js';
import type { BenchProgram } from '../programs.js';
import type { Column, Inspect, Measurement } from './column.js';
import { measureCall } from './device.js';
import { buildWasm } from './wasm.js';

const MODULE = 'bench';
const IMAGE_FLASH_OFFSET = 0x1000;
const BOOT_LIMIT = 20_000_000;
/** Compiled again for this long; the best time counts, as the first runs meet a cold JavaScript engine. */
const COMPILE_MS = 150;

export function productColumn(id: string, title: string, compile: CompileOptions): Column {
  return { id, title, measure: (program, inspect) => measure(program, compile, inspect) };
}

/** The image of one benchmark program; for the bench and for looking at the code. */
export function buildProduct(wasm: Uint8Array, compile: CompileOptions): BuildResult {
  return buildImage([{ bytes: wasm, file: `${MODULE}.wasm` }], { board: ESP32, compile });
}

function measure(program: BenchProgram, compile: CompileOptions, inspect?: Inspect): Measurement {
  const { bytes } = buildWasm(program);
  const built = buildProduct(bytes, compile);
  const { linked } = built;
  const machine = boot(built);
  machine.setTrace(inspect?.(machine, addresses(linked)));
  const stack = linked.stack;
  if (stack === null) throw new Error('the image has no stack');
  const call = measureCall(machine, symbol(linked, exportSymbol(MODULE, 'run')), [program.n], {
    top: stack.end & ~15,
    bytes: (stack.end & ~15) - stack.base,
  });
  const { checksum, instructions, cycles, stackBytes } = call;
  return {
    checksum,
    instructions,
    cycles,
    codeBytes: built.modules[0]?.compiled.stats.codeBytes ?? 0,
    ramBytes: staticRam(linked) + stackBytes,
    compileMs: compileTime(bytes, compile),
  };
}

/** Boots the image until the firmware waits for work: the module is instantiated then. */
function boot({ image, linked }: BuildResult): Machine {
  let console = '';
  const machine = new Machine({ board: ESP32, onConsole: (bytes) => (console += Buffer.from(bytes).toString()) });
  machine.loadFlash(image, IMAGE_FLASH_OFFSET);
  machine.resetFromRom();
  const idle = symbol(linked, 'rt_idle');
  const stop = machine.run({ until: idle, maxInstructions: BOOT_LIMIT });
  if (machine.pc !== idle) throw new Error(`boot ended with ${stop.reason}: ${stop.message} ${console}`);
  return machine;
}

function symbol(linked: LinkedImage, name: string): number {
  const found = linked.symbols.get(name);
  if (found === undefined) throw new Error(`no symbol ${name} in the image`);
  return found.address;
}

function addresses({ symbolList }: LinkedImage): Map<string, number> {
  return new Map(symbolList.filter(({ relative }) => relative).map(({ name, address }) => [name, address]));
}

/** Writable memory of the module itself: linear memory, globals, tables and their structs. */
function staticRam(linked: LinkedImage): number {
  let bytes = linked.memories.reduce((sum, memory) => sum + memory.capacity, 0);
  for (const section of linked.sections) {
    if (section.origin === 'module' && /^\.(data|bss)/.test(section.name)) bytes += section.size;
  }
  return bytes;
}

/** CPU time of all threads of this process, garbage collection and the JavaScript compiler included. */
function compileTime(wasm: Uint8Array, compile: CompileOptions): number {
  let best = Infinity;
  let spent = 0;
  do {
    const start = process.cpuUsage();
    compileModule(frontend(wasm, { name: MODULE }), compile);
    const { user, system } = process.cpuUsage(start);
    const milliseconds = (user + system) / 1000;
    best = Math.min(best, milliseconds);
    spent += milliseconds;
  } while (spent < COMPILE_MS);
  return best;
}

// Takes Wasm files, gives a flash image: front end, compiler, linker and image writer in a row. The one entry that the
// CLI, the tests and the benchmarks use. Refuses to know the file system beyond the prebuilt runtime.
import type { BoardDescription } from '../compiler/abi/boards.js';
import { compileModule } from '../backend-xtensa/compile-module.js';
import type { CompiledModule, CompileOptions } from '../backend-xtensa/compile-module.js';
import { frontendWithTraffic } from '../compiler/driver.js';
import { DiagnosticError } from '../compiler/diagnostics.js';
import type { IrModule } from '../compiler/ir/module.js';
import { makeBill } from './bill.js';
import type { Bill } from './bill.js';
import { writeFlashImage } from './image/flash.js';
import { link } from './link.js';
import type { LinkOptions } from './link.js';
import type { LinkedImage } from './linked.js';
import type { InputObject } from './object.js';
import { planMemories } from './memory-plan.js';
import type { MemoryDecision, MemoryPlanOptions } from './memory-plan.js';
import { readObject } from './read-object.js';
import { loadRuntimeObjects } from './runtime-objects.js';
import { stringsObject } from './strings-object.js';
import type { ProgramStrings } from './strings-object.js';

export interface WasmInput {
  readonly bytes: Uint8Array;
  /** For messages; its base name names the module unless `name` is given. */
  readonly file: string;
  readonly name?: string;
}

export interface BuildOptions {
  readonly board: BoardDescription;
  readonly compile: CompileOptions;
  readonly link?: LinkOptions;
  readonly memory?: MemoryPlanOptions;
  readonly strings?: ProgramStrings;
  /** Called before each module is compiled and before linking, for a progress line. */
  readonly onProgress?: (what: string) => void;
}

export interface BuiltModule {
  readonly file: string;
  readonly name: string;
  readonly compiled: CompiledModule;
}

export interface BuildResult {
  readonly linked: LinkedImage;
  /** For flash address 0x1000. */
  readonly image: Uint8Array;
  readonly bill: Bill;
  readonly modules: readonly BuiltModule[];
  readonly memories: readonly MemoryDecision[];
}

/**
 * Builds an image from one or more modules; modules that others import from are instantiated first.
 * @throws DiagnosticError for every fault of the input, W403 with the bill if it does not fit
 */
export function buildImage(inputs: readonly WasmInput[], options: BuildOptions): BuildResult {
  const { built, decisions, objects } = compileInputs(inputs, options);
  options.onProgress?.('linking');
  const runtime = loadRuntimeObjects();
  const strings = options.strings === undefined ? [] : [stringsObject(options.strings)];
  const limit = options.memory?.limit;
  const linkOptions = { ...(limit === undefined ? {} : { growthLimit: limit }), ...options.link };
  const linked = withDecisions(link([...runtime, ...strings, ...objects], options.board, linkOptions), decisions);
  const image = writeFlashImage(linked);
  return { linked, image, bill: makeBill(linked, image.length), modules: built, memories: decisions };
}

export interface CompiledInputs {
  readonly built: readonly BuiltModule[];
  readonly decisions: readonly MemoryDecision[];
  /** In instantiation order, as `built`. */
  readonly objects: readonly InputObject[];
}

/**
 * Reads and compiles modules that will be linked together.
 * @param inspect is shown all of them before one is compiled
 * @throws DiagnosticError for every fault of the input
 */
export function compileInputs(
  inputs: readonly WasmInput[],
  options: Pick<BuildOptions, 'compile' | 'memory' | 'onProgress'>,
  inspect?: (modules: readonly IrModule[]) => void,
): CompiledInputs {
  const files = new Map<string, string>();
  const parsed = inputs.map(({ bytes, file, name }): IrModule => {
    options.onProgress?.(`reading ${file}`);
    const { ir } = frontendWithTraffic(bytes, { file, ...(name === undefined ? {} : { name }) });
    const clash = files.get(ir.name);
    if (clash !== undefined)
      throw new DiagnosticError('W404', `${clash} and ${file} are both modules named "${ir.name}"`, { file });
    files.set(ir.name, file);
    return ir;
  });
  inspect?.(parsed);
  const { modules, decisions } = planMemories(providersFirst(parsed), options.memory);
  const built: BuiltModule[] = modules.map((ir) => {
    const file = files.get(ir.name)!;
    options.onProgress?.(`compiling ${file}`);
    try {
      return { file, name: ir.name, compiled: compileModule(ir, options.compile) };
    } catch (error) {
      throw error instanceof DiagnosticError ? error.at({ file }) : error;
    }
  });
  const objects = built.map(({ file, compiled }) => readObject(compiled.object, file, 'module'));
  return { built, decisions, objects };
}

/** Stable order in which every module comes after those it imports from; a cycle stays as it is given. */
function providersFirst(modules: readonly IrModule[]): IrModule[] {
  const byName = new Map(modules.map((module) => [module.name, module]));
  const ordered: IrModule[] = [];
  const seen = new Set<IrModule>();
  const visit = (module: IrModule): void => {
    if (seen.has(module)) return;
    seen.add(module);
    for (const list of [module.funcs, module.memories, module.tables, module.globals]) {
      for (const { import: wanted } of list) {
        const provider = wanted === null ? undefined : byName.get(wanted.module);
        if (provider !== undefined) visit(provider);
      }
    }
    ordered.push(module);
  };
  for (const module of modules) visit(module);
  return ordered;
}

/** The object of a trimmed memory declares what it got; the bill wants to know what the Wasm module declared. */
export function withDecisions(linked: LinkedImage, decisions: readonly MemoryDecision[]): LinkedImage {
  const memories = linked.memories.map((memory) => {
    const decision = decisions.find(({ module, index }) => module === memory.module && index === memory.index);
    return decision === undefined ? memory : { ...memory, declaredBytes: decision.declaredBytes };
  });
  return { ...linked, memories };
}

// Takes the modules of one build before lowering, decides how many bytes each memory really needs and whether it can
// change, gives the modules with their memories declared so. Refuses to know addresses; layout gives what it asks for.
import type { IrModule, MemoryDecl } from '../compiler/ir/module.js';
import { Op } from '../compiler/ir/ops.js';
import { alignUp } from './regions.js';

export interface MemoryPlanOptions {
  /** Give modules whose memory provably never needs its whole pages only what they use. Default true. */
  readonly trim?: boolean;
  /** `--memory-limit`: bytes a memory gets at most. Asked for, so no proof is needed; accesses above it trap. */
  readonly limit?: number;
  /** The same for single modules, by name. */
  readonly limits?: ReadonlyMap<string, number>;
}

/** What was decided for one memory. */
export interface MemoryDecision {
  readonly module: string;
  readonly index: number;
  readonly declaredBytes: number;
  readonly bytes: number;
  /** `whole`: as declared; `trimmed`: proved unused above; `limited`: `--memory-limit`. */
  readonly reason: 'whole' | 'trimmed' | 'limited';
  readonly growable: boolean;
  /** Where its data and stack end, if the module says so (`__heap_base`); else 0. */
  readonly neededBytes: number;
}

/** What the bodies do with each memory. */
interface MemoryUse {
  /** Has memory.grow or memory.size: the program itself looks at pages. */
  asksSize: boolean;
  grows: boolean;
  /** Some constant or offset names an address in [heapBase, declared bytes). */
  namesAbove: boolean;
}

const TRIM_ALIGN = 16;

/**
 * Closed world: `modules` are all that will be linked together, so a memory that none of the others imports cannot be
 * grown by them. A memory is trimmed to the exported constant `__heap_base` (data and stack end there: the contract of
 * LLVM's Wasm linker) when no body asks for its size or grows it and no constant or data word names an address above.
 */
export function planMemories(
  modules: readonly IrModule[],
  options: MemoryPlanOptions = {},
): { modules: IrModule[]; decisions: MemoryDecision[] } {
  const shared = new Set<string>();
  for (const { memories } of modules)
    for (const memory of memories)
      if (memory.import !== null) shared.add(`${memory.import.module}.${memory.import.name}`);
  const decisions: MemoryDecision[] = [];
  const planned = modules.map((module): IrModule => {
    const memories = module.memories.map((memory) => {
      if (memory.import !== null) return memory;
      const isShared = module.exports.some(
        (entry) =>
          entry.kind === 'memory' && entry.index === memory.index && shared.has(`${module.name}.${entry.name}`),
      );
      const { decl, decision } = plan(module, memory, isShared, options);
      decisions.push(decision);
      return decl;
    });
    return { ...module, memories };
  });
  return { modules: planned, decisions };
}

function plan(
  module: IrModule,
  memory: MemoryDecl,
  isShared: boolean,
  { trim = true, limit: limitOfAll, limits }: MemoryPlanOptions,
): { decl: MemoryDecl; decision: MemoryDecision } {
  const limit = limits?.get(module.name) ?? limitOfAll;
  const declaredBytes = memory.minPages * 2 ** memory.pageShift;
  const heapBase = memory.index === 0 ? exportedConstant(module, '__heap_base') : null;
  const use = memoryUse(module, memory.index, heapBase ?? declaredBytes, declaredBytes);
  const growable = use.grows || isShared;
  const decide = (decl: MemoryDecl, bytes: number, reason: MemoryDecision['reason']) => {
    const { name } = module;
    const neededBytes = heapBase ?? 0;
    const decision = { module: name, index: memory.index, declaredBytes, bytes, reason, growable, neededBytes };
    return { decl, decision };
  };
  if (use.asksSize || isShared) {
    if (limit === undefined || limit >= declaredBytes) return decide({ ...memory, growable }, declaredBytes, 'whole');
    // The program looks at the size, so it must stay one in whole pages; it then finds what it was given.
    const minPages = Math.floor(limit / 2 ** memory.pageShift);
    return decide({ ...memory, minPages, growable }, minPages * 2 ** memory.pageShift, 'limited');
  }
  let bytes = declaredBytes;
  let reason: MemoryDecision['reason'] = 'whole';
  if (trim && heapBase !== null && !use.namesAbove && alignUp(heapBase, TRIM_ALIGN) < bytes) {
    bytes = alignUp(heapBase, TRIM_ALIGN);
    reason = 'trimmed';
  }
  if (limit !== undefined && limit < bytes) {
    bytes = limit;
    reason = 'limited';
  }
  if (reason === 'whole') return decide({ ...memory, growable: false }, bytes, reason);
  // Nobody asks this memory for its pages, so it may as well count in bytes.
  return decide({ ...memory, minPages: bytes, maxPages: bytes, pageShift: 0, growable: false }, bytes, reason);
}

/** Value of an exported immutable i32 global with a constant initialiser, unsigned. */
function exportedConstant(module: IrModule, name: string): number | null {
  const entry = module.exports.find((candidate) => candidate.kind === 'global' && candidate.name === name);
  const global = entry === undefined ? undefined : module.globals[entry.index];
  return global === undefined || global.mutable || global.init === null ? null : global.init[0] >>> 0;
}

function memoryUse(module: IrModule, index: number, heapBase: number, declaredBytes: number): MemoryUse {
  const use: MemoryUse = { asksSize: false, grows: false, namesAbove: false };
  const above = (value: number): boolean => value > heapBase && value <= declaredBytes;
  for (const body of module.bodies) {
    for (const block of body.blocks) {
      for (const inst of block.insts) {
        switch (inst.op) {
          case Op.MemorySize:
            if (inst.imm === index) use.asksSize = true;
            break;
          case Op.MemoryGrow:
            if (inst.imm === index) use.asksSize = use.grows = true;
            break;
          case Op.I32Const:
            // A constant equal to the heap's base may begin a hand-made heap, so it counts; `above` is for ends.
            if (above((inst.imm >>> 0) + 1)) use.namesAbove = true;
            break;
          case Op.MemAddr:
            if (inst.imm2 === index && above(inst.imm)) use.namesAbove = true;
            break;
        }
      }
    }
  }
  if (!use.namesAbove && heapBase < declaredBytes) {
    for (const { bytes } of module.data) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let at = 0; at + 4 <= bytes.length && !use.namesAbove; at += 4)
        if (above(view.getUint32(at, true) + 1)) use.namesAbove = true;
    }
  }
  return use;
}

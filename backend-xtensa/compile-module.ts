// A module through passes and backend: fresh IR in, compiled functions and the bytes of a relocatable ELF object out.
// Knows which functions need descriptors, thunks and names; no instruction and no ELF byte.
import { signatureId, signatureText } from '../compiler/abi/signature-id.js';
import {
  exportSymbol,
  functionSymbols,
  globalSymbol,
  importThunkSymbol,
  memorySymbol,
  stackLimitSymbol,
  tableSymbol,
} from '../compiler/abi/symbols.js';
import { DiagnosticError } from '../compiler/diagnostics.js';
import type { FuncDecl, IrModule } from '../compiler/ir/module.js';
import { lowerModule, type OptLevel, type PassOptions, type PassStats } from '../compiler/passes/pipeline.js';
import { compileOrder } from './call-graph.js';
import { CALL0 } from './abi/call0.js';
import { compileFunction, type FunctionContext } from './compile-function.js';
import type { CalleeFacts, CompiledFunction } from './compiled.js';
import type { ObjectSection } from './elf/format.js';
import { moduleData } from './elf/module-data.js';
import { infoSection } from './elf/module-info.js';
import { writeObject } from './elf/write-object.js';
import { CodeBuffer } from './emit/code-buffer.js';
import { encodeFunction } from './emit/encode-function.js';
import { Op } from './isa/table.js';

export interface CompileOptions {
  /** Default '2'. */
  readonly level?: OptLevel;
  /** Default 'forward'. */
  readonly cfi?: PassOptions['cfi'];
  /** Bounds checks that fail ask the grant table for a window; for modules of the operating system. Default false. */
  readonly windows?: boolean;
  /** Verify the IR between passes and the register allocation after it. */
  readonly verify?: boolean;
  readonly without?: ReadonlySet<string>;
  readonly afterPass?: PassOptions['afterPass'];
  /** Told what became of each function's checks. */
  readonly onChecks?: PassOptions['onChecks'];
  /** Looks at every allocation, e.g. with the checker. */
  readonly inspectAllocation?: FunctionContext['inspectAllocation'];
  /** Put function names into the image. Default false: hosts take them from the object. */
  readonly deviceNames?: boolean;
  /** Put the line table into `.wasm.info`. Default true. */
  readonly debugLines?: boolean;
  /** Entries a growable table gets beyond its minimum. Default 64. */
  readonly tableReserve?: number;
}

export interface CompileStats {
  /** What the passes did, by `pass.counter`. */
  readonly passes: PassStats;
  readonly functions: number;
  /** Bytes of functions with their literals, without data. */
  readonly codeBytes: number;
  readonly spills: number;
  readonly moves: number;
}

export interface CompiledModule {
  readonly name: string;
  /** In the object's order: index order, then thunks. */
  readonly functions: readonly CompiledFunction[];
  /** Relocatable ELF32. */
  readonly object: Uint8Array;
  readonly stats: CompileStats;
}

/** What `CompileOptions.without` may name beside the passes. */
export const BACKEND_OPTIMISATIONS = ['hardware-loops', 'shrink-wrap', 'tail-copies'] as const;

/** Compiles `ir`, whose bodies are rewritten in place. Errors: DiagnosticError W501. */
export function compileModule(ir: IrModule, options: CompileOptions = {}): CompiledModule {
  const level = options.level ?? '2';
  const cfi = options.cfi ?? 'forward';
  const passes = lowerModule(ir, {
    level,
    cfi,
    ...(options.windows === undefined ? {} : { windows: options.windows }),
    ...(options.verify === undefined ? {} : { verify: options.verify }),
    ...(options.without === undefined ? {} : { without: options.without }),
    ...(options.afterPass === undefined ? {} : { afterPass: options.afterPass }),
    ...(options.onChecks === undefined ? {} : { onChecks: options.onChecks }),
  });
  checkSignatures(ir);
  const symbols = functionSymbols(ir);
  let spills = 0;
  let moves = 0;
  const isOn = (name: (typeof BACKEND_OPTIMISATIONS)[number]): boolean =>
    level !== '0' && options.without?.has(name) !== true;
  const order = compileOrder(ir);
  const callees = new Map<string, CalleeFacts>();
  const context: FunctionContext = {
    abi: CALL0,
    symbols,
    callees,
    stackLimit: stackLimitSymbol(ir.name),
    checkReturns: cfi === 'full',
    shrinkWrap: isOn('shrink-wrap'),
    copyForSpeed: isOn('tail-copies') && level === '2',
    hardwareLoops: isOn('hardware-loops'),
    ...(options.inspectAllocation === undefined ? {} : { inspectAllocation: options.inspectAllocation }),
    onStats: (stats) => {
      spills += stats.spilledVRegs;
      moves += stats.moves;
    },
  };
  const compiled: (CompiledFunction | undefined)[] = [];
  for (const func of order.functions) {
    const decl = ir.funcs[func.index];
    try {
      const result = compileFunction(func, context, {
        signature: decl?.addressTaken === true ? signatureId(decl.signature) : null,
        bodyOffset: decl?.bodyOffset ?? 0,
        ownCheck: order.ownCheck.has(func.index),
      });
      callees.set(result.symbol, result.asCallee);
      compiled[func.index] = result;
    } catch (error) {
      if (!(error instanceof DiagnosticError)) throw error;
      throw error.at({ section: 'code', func: { index: func.index, name: func.name } });
    }
  }
  const functions = ir.bodies.map(({ index }) => compiled[index]!);
  const all = [...functions, ...thunks(ir, symbols)];
  return {
    name: ir.name,
    functions: all,
    object: writeObject(objectSections(ir, all, symbols, options)),
    stats: {
      passes,
      functions: functions.length,
      codeBytes: all.reduce((sum, { bytes }) => sum + bytes.length, 0),
      spills,
      moves,
    },
  };
}

/** Two signatures with one identity would make an indirect call's check let the wrong function through. */
function checkSignatures(ir: IrModule): void {
  const texts = new Map<number, string>();
  for (const type of ir.types) {
    const id = signatureId(type);
    const text = signatureText(type);
    const known = texts.get(id);
    if (known !== undefined && known !== text) {
      throw new DiagnosticError('W501', `signatures ${known} and ${text} have the same hash`);
    }
    texts.set(id, text);
  }
}

/** A descriptor and a jump for each import that a table or reference can hold, or that is exported again. */
function thunks(ir: IrModule, symbols: readonly string[]): CompiledFunction[] {
  const exported = new Set(ir.exports.filter(({ kind }) => kind === 'func').map(({ index }) => index));
  return ir.funcs
    .filter((decl) => decl.import !== null && (decl.addressTaken || exported.has(decl.index)))
    .map((decl) => thunk(ir, decl, symbols[decl.index]!));
}

function thunk(ir: IrModule, decl: FuncDecl, target: string): CompiledFunction {
  const buffer = new CodeBuffer();
  buffer.symbolTransfer(Op.J, target);
  const symbol = importThunkSymbol(ir.name, decl.index);
  return {
    index: decl.index,
    name: `${decl.name} (import)`,
    symbol,
    ...encodeFunction(buffer, symbol, signatureId(decl.signature)),
    frame: { bytes: 0, start: -1, stackCheck: 'none', directCallees: [target], hasIndirectCalls: false },
    asCallee: { uncheckedBytes: 0, clobbers: CALL0.callClobbers },
  };
}

function objectSections(
  ir: IrModule,
  functions: readonly CompiledFunction[],
  symbols: readonly string[],
  options: CompileOptions,
): ObjectSection[] {
  const aliases = exportAliases(ir, symbols);
  const code = functions.map((func): ObjectSection => {
    const size = func.bytes.length - func.entry;
    const isInit = func.index === ir.initIndex && !func.symbol.includes('!thunk#');
    const at = { offset: func.entry, size, kind: 'func' } as const;
    return {
      name: `.text.${func.symbol}`,
      use: 'code',
      align: 4,
      bytes: func.bytes,
      size: func.bytes.length,
      relocations: func.relocations,
      symbols: [
        { ...at, name: func.symbol, global: isInit },
        ...(aliases.get(func.symbol) ?? []).map((name) => ({ ...at, name, global: true })),
      ],
    };
  });
  const data = moduleData(ir, functions, symbols, {
    deviceNames: options.deviceNames ?? false,
    tableReserve: options.tableReserve ?? 64,
    aliases,
  });
  return [...code, ...data, infoSection(ir, functions, symbols, options.debugLines ?? true)];
}

/** Export symbols by the symbol of what is exported. Imports exported again have none, but for functions' thunks. */
function exportAliases(ir: IrModule, symbols: readonly string[]): Map<string, string[]> {
  const aliases = new Map<string, string[]>();
  for (const { name, kind, index } of ir.exports) {
    let symbol: string;
    if (kind === 'func') {
      symbol = ir.funcs[index]!.import === null ? symbols[index]! : importThunkSymbol(ir.name, index);
    } else {
      const decl = kind === 'memory' ? ir.memories[index]! : kind === 'table' ? ir.tables[index]! : ir.globals[index]!;
      if (decl.import !== null) continue;
      symbol =
        kind === 'memory'
          ? memorySymbol(ir.name, ir.memories[index]!)
          : kind === 'table'
            ? tableSymbol(ir.name, ir.tables[index]!)
            : globalSymbol(ir.name, ir.globals[index]!);
    }
    const list = aliases.get(symbol);
    if (list === undefined) aliases.set(symbol, [exportSymbol(ir.name, name)]);
    else list.push(exportSymbol(ir.name, name));
  }
  return aliases;
}

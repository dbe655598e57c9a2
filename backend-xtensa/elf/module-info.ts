// The `.wasm.info` section of an object, as JSON bytes. Takes the module and its compiled functions; the contract is
// compiler/abi/object-info.ts.
import type { ObjectExportInfo, ObjectInfo } from '../../compiler/abi/object-info.js';
import { globalTypeText, memoryTypeText, tableTypeText } from '../../compiler/abi/extern-type.js';
import { signatureText } from '../../compiler/abi/signature-id.js';
import { exportSymbol, importSymbol } from '../../compiler/abi/symbols.js';
import type { ImportRef, IrModule } from '../../compiler/ir/module.js';
import type { CompiledFunction } from '../compiled.js';
import type { ObjectSection } from './format.js';

export function infoSection(
  ir: IrModule,
  functions: readonly CompiledFunction[],
  symbols: readonly string[],
  debugLines: boolean,
): ObjectSection {
  const info: ObjectInfo = {
    version: 1,
    module: ir.name,
    functions: functions.map((func) => ({
      symbol: func.symbol,
      index: func.index,
      name: func.name,
      frameBytes: func.frame.bytes,
      callees: func.frame.directCallees,
      indirectCalls: func.frame.hasIndirectCalls,
      wasmOffset: ir.funcs[func.index]?.bodyOffset ?? 0,
      data: func.dataRanges,
      ...(debugLines ? { lines: func.lines.flat() } : {}),
    })),
    ...inlinedAway(ir, functions),
    memories: ir.memories.flatMap(({ import: from, index, minPages, maxPages, pageShift, growable }) => {
      if (from !== null) return [];
      const bytes = minPages * 2 ** pageShift;
      const maxBytes = maxPages === null ? null : maxPages * 2 ** pageShift;
      return [{ index, bytes, declaredBytes: bytes, maxBytes, pageShift, growable }];
    }),
    exports: ir.exports.map((entry) => exportInfo(ir, entry, symbols)),
    imports: importInfo(ir),
  };
  const bytes = new TextEncoder().encode(JSON.stringify(info));
  return { name: '.wasm.info', use: 'info', align: 1, bytes, size: bytes.length, relocations: [], symbols: [] };
}

/** Functions without code of their own whose code occurs in others. */
function inlinedAway(ir: IrModule, functions: readonly CompiledFunction[]): Pick<ObjectInfo, 'inlined'> {
  const gone = new Set<number>();
  for (const { sites } of functions)
    for (const { inlined } of sites) for (const { func } of inlined ?? []) gone.add(func);
  for (const { index } of functions) gone.delete(index);
  if (gone.size === 0) return {};
  const indices = [...gone].sort((a, b) => a - b);
  return { inlined: indices.map((i) => ({ index: i, name: ir.funcs[i]!.name, wasmOffset: ir.funcs[i]!.bodyOffset })) };
}

function exportInfo(ir: IrModule, entry: IrModule['exports'][number], symbols: readonly string[]): ObjectExportInfo {
  const { name, kind, index } = entry;
  const base = { name, kind, index };
  if (kind === 'func') {
    const decl = ir.funcs[index]!;
    const signature = signatureText(decl.signature);
    const symbol = exportSymbol(ir.name, name);
    return decl.import === null
      ? { ...base, symbol, signature, target: symbols[index]! }
      : { ...base, symbol, signature };
  }
  // ELF cannot alias an undefined symbol: an import exported again keeps the provider's name.
  const from = { memory: ir.memories, table: ir.tables, global: ir.globals }[kind][index]!.import;
  const symbol = from === null ? exportSymbol(ir.name, name) : importSymbol(from);
  return { ...base, symbol, type: typeText(ir, kind, index) };
}

function typeText(ir: IrModule, kind: 'memory' | 'table' | 'global', index: number): string {
  if (kind === 'memory') return memoryTypeText(ir.memories[index]!);
  return kind === 'table' ? tableTypeText(ir.tables[index]!) : globalTypeText(ir.globals[index]!);
}

function importInfo(ir: IrModule): ObjectInfo['imports'] {
  const list = (
    decls: readonly { readonly import: ImportRef | null; readonly index: number }[],
    kind: 'memory' | 'table' | 'global',
  ) =>
    decls.flatMap(({ import: from, index }) => {
      if (from === null) return [];
      const symbol = importSymbol(from);
      return [{ symbol, module: from.module, name: from.name, kind, type: typeText(ir, kind, index) }];
    });
  const funcs = ir.funcs.flatMap(({ import: from, signature }) =>
    from === null
      ? []
      : [
          {
            symbol: importSymbol(from),
            module: from.module,
            name: from.name,
            kind: 'func' as const,
            signature: signatureText(signature),
          },
        ],
  );
  return [...funcs, ...list(ir.memories, 'memory'), ...list(ir.tables, 'table'), ...list(ir.globals, 'global')];
}

// Translates a validated module into an IrModule: bodies through FunctionTranslator, declarations and flags as
// compiler/ir/module.ts describes them. Knows no binary format and no pass.
import { DiagnosticError, InternalError } from '../diagnostics.js';
import type { Func } from '../ir/function.js';
import type { DataSegment, ElemSegment, FuncDecl, GlobalDecl, IrModule, RefType, TableDecl } from '../ir/module.js';
import type { Signature } from '../ir/types.js';
import { isRefType, ValType, type ExternKind, type WasmElem, type WasmModule } from '../wasm/types.js';
import type { DeclaredModule } from '../wasm/validate.js';
import { evaluate } from './const-eval.js';
import { newFacts, type ModuleFacts } from './facts.js';
import { FunctionTranslator, type StackTraffic } from './function.js';
import { buildInit, staticElement } from './init.js';
import { irSignature, irType, wordCount } from './operators.js';

/** Words of parameters or results that fit the calling convention: 6 registers and a buffer of 256 words. */
const MAX_WORDS = 256;

export interface Translation {
  readonly ir: IrModule;
  /** Operand stack traffic of each function in `ir.bodies`; the init function, which no one wrote, has none. */
  readonly traffic: readonly StackTraffic[];
}

/** Translates and, in the same pass, validates the bodies. Errors: those of body.ts, W501. */
export function translateModule(valid: DeclaredModule, name: string): Translation {
  const m = valid.module;
  const signatures = m.types.map(irSignature);
  signatures.forEach((sig, i) => checkWords(sig, i));
  const facts = newFacts(m);
  const translator = new FunctionTranslator(m, signatures, facts);
  const bodies: Func[] = [];
  const traffic: StackTraffic[] = [];
  for (let i = m.importedFuncs; i < m.funcs.length; i++) {
    valid.bodies.read(i, translator);
    bodies.push(translator.take());
    traffic.push(translator.traffic);
  }
  const initIndex = m.funcs.length;
  bodies.push(buildInit(m, facts, initIndex));
  traffic.push({ stackPushes: 0, stackPops: 0 });
  return { ir: declare(m, name, signatures, facts, bodies, initIndex), traffic };
}

function checkWords(sig: Signature, index: number): void {
  const words = Math.max(wordCount(sig.params), wordCount(sig.results));
  if (words > MAX_WORDS) {
    throw new DiagnosticError(
      'W501',
      `type ${index} needs ${words} words of parameters or results, at most ${MAX_WORDS}`,
    );
  }
}

function refTypeOf(type: number): RefType {
  if (!isRefType(type)) throw new InternalError('not a reference type');
  return type === ValType.FuncRef ? 'funcref' : 'externref';
}

function declare(
  m: WasmModule,
  name: string,
  signatures: Signature[],
  facts: ModuleFacts,
  bodies: Func[],
  initIndex: number,
): IrModule {
  const exported = (kind: ExternKind): ReadonlySet<number> =>
    new Set(m.exports.filter((e) => e.kind === kind).map((e) => e.index));
  const [funcsOut, memoriesOut, tablesOut, globalsOut] = [
    exported('func'),
    exported('memory'),
    exported('table'),
    exported('global'),
  ];
  for (const index of funcsOut) facts.addressTaken[index] = 1;
  const elems = m.elems.map((elem, index) => declareElem(elem, index, facts));

  const funcs = m.funcs.map((func, index): FuncDecl => ({
    index,
    name: facts.funcNames[index]!,
    typeIndex: func.typeIndex,
    signature: signatures[func.typeIndex]!,
    import: func.import,
    addressTaken: facts.addressTaken[index] !== 0,
    exported: funcsOut.has(index),
    bodyOffset: func.bodyStart,
  }));
  funcs.push(declareInit(signatures, initIndex));
  return {
    name,
    types: signatures,
    funcs,
    memories: m.memories.map((memory, index) => ({
      index,
      import: memory.import,
      minPages: memory.min,
      maxPages: memory.max,
      pageShift: memory.pageShift,
      growable:
        memory.import !== null ||
        ((facts.memoryGrown[index] !== 0 || memoriesOut.has(index)) && memory.min !== memory.max),
      exported: memoriesOut.has(index),
    })),
    tables: m.tables.map((table, index): TableDecl => {
      const shared = table.import !== null || tablesOut.has(index);
      return {
        index,
        import: table.import,
        refType: refTypeOf(table.refType),
        min: table.min,
        max: table.max,
        mutable: shared || facts.tableMutated[index] !== 0,
        growable: shared || facts.tableGrown[index] !== 0,
        exported: tablesOut.has(index),
      };
    }),
    globals: m.globals.map((global, index): GlobalDecl => ({
      index,
      import: global.import,
      type: irType(global.type),
      mutable: global.mutable,
      refType: isRefType(global.type) ? refTypeOf(global.type) : null,
      init: global.init === null ? null : evaluate(global.init),
      exported: globalsOut.has(index),
    })),
    data: m.data.map((data, index): DataSegment => ({
      index,
      bytes: m.bytes.subarray(data.start, data.end),
      mode: data.mode,
      memory: data.memory,
    })),
    elems,
    exports: m.exports.map(({ name, kind, index }) => ({ name, kind, index })),
    bodies,
    initIndex,
  };
}

/** The init function's own entry, so that `funcs[body.index]` holds for every body. */
function declareInit(signatures: Signature[], index: number): FuncDecl {
  let typeIndex = signatures.findIndex((sig) => sig.params.length === 0 && sig.results.length === 0);
  if (typeIndex < 0) typeIndex = signatures.push({ params: [], results: [] }) - 1;
  return {
    index,
    name: '$init',
    typeIndex,
    signature: signatures[typeIndex]!,
    import: null,
    addressTaken: false,
    exported: false,
    bodyOffset: 0,
  };
}

/** Declared segments count as dropped from the start, so they have no entries. */
function declareElem(elem: WasmElem, index: number, facts: ModuleFacts): ElemSegment {
  const refType = refTypeOf(elem.refType);
  const { mode, table } = elem;
  if (mode === 'declared') return { index, mode, refType, table, entries: [] };
  const entries: (number | null)[] =
    elem.funcs !== null
      ? [...elem.funcs]
      : elem.exprs!.map((expr) => {
          const entry = staticElement(expr);
          if (entry !== undefined) return entry;
          // The init function sets entries of active segments; a segment nobody reads needs no entry.
          if (facts.elemUsed[index] === 0) return null;
          throw new DiagnosticError('W501', 'element segment for table.init with a global.get entry', {
            section: 'element',
            offset: expr.offset,
          });
        });
  for (const entry of entries) if (entry !== null) facts.addressTaken[entry] = 1;
  return { index, mode, refType, table, entries };
}

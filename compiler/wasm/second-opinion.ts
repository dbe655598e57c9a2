// Compares our reading of a module's declarations with that of the independent @webassemblyjs/wasm-parser. Takes a module
// we accepted; gives differences as text. Knows that the other parser fails on newer features, and leaves bodies alone.
import { decode } from '@webassemblyjs/wasm-parser';
import { isRefType, ValType, valTypeName, type WasmModule } from './types.js';

export interface SecondOpinion {
  /** False where the other parser gives up: it does not know every feature that we do. */
  readonly parsed: boolean;
  readonly differences: readonly string[];
}

/** The parts of the other parser's syntax tree that we compare. */
interface Signature {
  readonly params: readonly { readonly valtype: string }[];
  readonly results: readonly string[];
}
interface Limits {
  readonly min: number;
  readonly max?: number;
}
interface Field {
  readonly type: string;
  readonly name?: unknown;
  readonly module?: string;
  readonly functype?: Signature;
  readonly signature?: Signature;
  readonly limits?: Limits;
  readonly globalType?: { readonly valtype: string; readonly mutability: string };
  readonly descr?: { readonly type: string; readonly exportType?: string; readonly id?: { readonly value: number } };
}
interface Tree {
  readonly body: readonly { readonly fields: readonly Field[] }[];
}

const OPTIONS = { ignoreCodeSection: true, ignoreDataSection: true, ignoreCustomNameSection: true };

/** The other parser writes to the console in places; nobody asked for that. */
function parseQuietly(bytes: Uint8Array): readonly Field[] | null {
  const { log, warn } = console;
  console.log = console.warn = () => undefined;
  try {
    // It takes an ArrayBuffer whole: a view into a larger one would be read from its start.
    const own = new Uint8Array(bytes).buffer;
    return (decode(own, OPTIONS) as Tree).body[0]!.fields;
  } catch {
    return null;
  } finally {
    console.log = log;
    console.warn = warn;
  }
}

const IMPORT_KINDS: Readonly<Record<string, string>> = {
  FuncImportDescr: 'func',
  Table: 'table',
  Memory: 'memory',
  GlobalType: 'global',
};

function typeName(type: number): string {
  return isRefType(type) ? (type === ValType.FuncRef ? 'anyfunc' : 'externref') : valTypeName(type);
}

function signatureText(sig: Signature): string {
  return `(${sig.params.map((p) => p.valtype).join(' ')}) -> (${sig.results.join(' ')})`;
}

function limitsText({ min, max }: { readonly min: number; readonly max?: number | null | undefined }): string {
  return `${min}..${max ?? ''}`;
}

/** Our declarations and theirs, one line each, in section order by kind. */
function ours(m: WasmModule): string[] {
  const names = (types: readonly number[]): string => types.map(typeName).join(' ');
  return [
    ...m.types.map((t) => `type (${names(t.params)}) -> (${names(t.results)})`),
    ...m.imports.map((i) => `import ${i.module} ${i.name} ${i.kind}`),
    ...m.tables.filter((t) => t.import === null).map((t) => `table ${limitsText(t)}`),
    ...m.memories.filter((t) => t.import === null).map((t) => `memory ${limitsText(t)}`),
    ...m.globals
      .filter((g) => g.import === null)
      .map((g) => `global ${typeName(g.type)} ${g.mutable ? 'var' : 'const'}`),
    ...m.exports.map((e) => `export ${e.name} ${e.kind} ${e.index}`),
  ];
}

function theirs(fields: readonly Field[]): string[] {
  const of = (type: string): readonly Field[] => fields.filter((field) => field.type === type);
  return [
    ...of('TypeInstruction').map((f) => `type ${signatureText(f.functype!)}`),
    ...of('ModuleImport').map((f) => `import ${f.module} ${String(f.name)} ${IMPORT_KINDS[f.descr!.type] ?? '?'}`),
    ...of('Table').map((f) => `table ${limitsText(f.limits!)}`),
    ...of('Memory').map((f) => `memory ${limitsText(f.limits!)}`),
    ...of('Global').map((f) => `global ${f.globalType!.valtype} ${f.globalType!.mutability}`),
    ...of('ModuleExport').map(
      (f) => `export ${String(f.name)} ${f.descr!.exportType!.toLowerCase()} ${f.descr!.id!.value}`,
    ),
  ];
}

/** Compares `m` with the other parser's result for the same bytes. Costs about as much as decoding once more. */
export function secondOpinion(m: WasmModule): SecondOpinion {
  const fields = parseQuietly(m.bytes);
  if (fields === null) return { parsed: false, differences: [] };
  const a = ours(m);
  const b = theirs(fields);
  const differences: string[] = [];
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    if (a[i] !== b[i]) differences.push(`ours: ${a[i] ?? 'nothing'}; theirs: ${b[i] ?? 'nothing'}`);
  }
  return { parsed: true, differences };
}

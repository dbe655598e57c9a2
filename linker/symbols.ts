// Takes objects, gives for every symbol of every object the definition it means, and the sections that the roots reach.
// Knows the rules of global, weak and local binding; refuses to know addresses.
import type { ObjectInfo } from '../compiler/abi/object-info.js';
import { exportSymbol } from '../compiler/abi/symbols.js';
import { externTypeMatches } from '../compiler/abi/extern-type.js';
import { THINGSPIRE_MODULE, THINGSPIRE_SIGNATURES } from '../compiler/abi/os-imports.js';
import { WASI_MODULE, WASI_SIGNATURES } from '../compiler/abi/wasi.js';
import { DiagnosticError } from '../compiler/diagnostics.js';
import type { InputObject, InputSection, InputSymbol, SymbolType } from './object.js';

/** What a symbol name stands for. `address` is filled in by the layout. */
export interface Definition {
  readonly name: string;
  readonly object: InputObject | null;
  /** Null for absolute symbols, linker-defined ones and those of a base image. */
  readonly section: InputSection | null;
  /** Offset in the section, or the absolute value (mutable for linker-defined symbols). */
  value: number;
  readonly size: number;
  readonly type: SymbolType;
  readonly binding: 'local' | 'global' | 'weak';
  /** The linker's own: its value is known after layout. */
  readonly linkerDefined: boolean;
}

export interface Resolution {
  /** Global names. */
  readonly globals: Map<string, Definition>;
  /** Definitions by the object's symbol index; null: undefined (an error only if a live section refers to it). */
  readonly bySymbol: Map<InputObject, (Definition | null)[]>;
}

export interface ResolveOptions {
  /** True for names the layout will define. */
  readonly isLinkerDefined: (name: string) => boolean;
  /** Symbols of an already linked image, by address. */
  readonly externals?: ReadonlyMap<string, number>;
}

/**
 * Binds every symbol.
 * @throws DiagnosticError W404 when two objects define the same global name
 */
export function resolveSymbols(objects: readonly InputObject[], options: ResolveOptions): Resolution {
  const globals = new Map<string, Definition>();
  for (const object of objects) {
    for (const symbol of object.symbols) {
      if (symbol.binding === 'local' || symbol.place === 'undefined') continue;
      const present = globals.get(symbol.name);
      // First strong definition wins over weak ones; among weak ones the first.
      if (present !== undefined && symbol.binding === 'weak') continue;
      if (present !== undefined && present.binding !== 'weak')
        throw new DiagnosticError('W404', `${symbol.name} is defined in ${present.object?.name} and in ${object.name}`);
      globals.set(symbol.name, define(symbol, object));
    }
  }
  const aliases = reexports(objects);
  const bySymbol = new Map<InputObject, (Definition | null)[]>();
  for (const object of objects) {
    const definitions: (Definition | null)[] = [];
    for (const symbol of object.symbols) definitions.push(bind(symbol, object, globals, aliases, options));
    bySymbol.set(object, definitions);
  }
  return { globals, bySymbol };
}

/** A module that exports what it imports has no symbol of its own for it: `b.mem` -> `a.mem`. */
function reexports(objects: readonly InputObject[]): Map<string, string> {
  const aliases = new Map<string, string>();
  for (const { info } of objects) {
    for (const { name, symbol } of info?.exports ?? []) {
      const own = info === null ? symbol : exportSymbol(info.module, name);
      if (own !== symbol) aliases.set(own, symbol);
    }
  }
  return aliases;
}

function define(symbol: InputSymbol, object: InputObject): Definition {
  return {
    name: symbol.name,
    object,
    section: symbol.section,
    value: symbol.value,
    size: symbol.size,
    type: symbol.type,
    binding: symbol.binding,
    linkerDefined: false,
  };
}

function absolute(name: string, value: number, linkerDefined: boolean): Definition {
  return { name, object: null, section: null, value, size: 0, type: 'none', binding: 'global', linkerDefined };
}

function bind(
  symbol: InputSymbol,
  object: InputObject,
  globals: Map<string, Definition>,
  aliases: ReadonlyMap<string, string>,
  options: ResolveOptions,
): Definition | null {
  if (symbol.binding === 'local') return symbol.place === 'undefined' ? null : define(symbol, object);
  let { name } = symbol;
  // Chains end: each link names a module further up, and modules cannot import in a circle of re-exports.
  for (let links = 0; links <= aliases.size; links++) {
    const global = globals.get(name);
    if (global !== undefined) return global;
    const external = options.externals?.get(name);
    if (external !== undefined || options.isLinkerDefined(name)) {
      const definition = absolute(name, external ?? 0, external === undefined);
      globals.set(name, definition);
      return definition;
    }
    const next = aliases.get(name);
    if (next === undefined) break;
    name = next;
  }
  // An undefined weak reference is 0.
  return symbol.binding === 'weak' ? absolute(symbol.name, 0, false) : null;
}

/**
 * The sections reachable from the roots through relocations.
 * @throws DiagnosticError W401 naming what is missing and who needs it
 */
export function liveSections(resolution: Resolution, roots: readonly InputSection[]): Set<InputSection> {
  const live = new Set<InputSection>(roots);
  const work = [...roots];
  const missing = new Map<string, InputSection>();
  for (let section = work.pop(); section !== undefined; section = work.pop()) {
    const definitions = resolution.bySymbol.get(section.object)!;
    const { count, symbol } = section.relocations;
    for (let i = 0; i < count; i++) {
      const index = symbol[i]!;
      const definition = definitions[index];
      if (definition === null || definition === undefined) {
        const name = section.object.symbols[index]!.name;
        if (!missing.has(name)) missing.set(name, section);
        continue;
      }
      const target = definition.section;
      if (target !== null && !live.has(target)) {
        live.add(target);
        work.push(target);
      }
    }
  }
  if (missing.size > 0) throw unresolved(missing);
  return live;
}

/** At most this many missing names are spelled out. */
const NAMED = 10;

function unresolved(missing: ReadonlyMap<string, InputSection>): DiagnosticError {
  const lines: string[] = [];
  for (const [name, section] of missing) {
    if (lines.length === NAMED) {
      lines.push(`and ${missing.size - NAMED} more`);
      break;
    }
    const { object } = section;
    const wanted = object.info?.imports.find((candidate) => candidate.symbol === name);
    lines.push(
      wanted === undefined
        ? `symbol "${name}" needed by ${object.name} (${section.name})`
        : `${describe(wanted)} imported by ${object.name}`,
    );
  }
  return new DiagnosticError('W401', `nothing provides ${lines.join(', ')}`);
}

function describe(wanted: ObjectInfo['imports'][number]): string {
  const signature = wanted.signature === undefined ? '' : ` (${wanted.signature})`;
  return `${wanted.kind} "${wanted.module}"."${wanted.name}"${signature}`;
}

interface Given {
  readonly owner: string;
  readonly kind: string;
  readonly signature?: string;
  readonly type?: string;
}

/** What the runtime's C functions are called for, by Wasm module: their signatures are known as data. */
const HOST_INTERFACES: ReadonlyMap<
  string,
  { readonly owner: string; readonly signatures: ReadonlyMap<string, string> }
> = new Map([
  [WASI_MODULE, { owner: 'WASI preview 1', signatures: WASI_SIGNATURES }],
  [THINGSPIRE_MODULE, { owner: 'the device OS', signatures: THINGSPIRE_SIGNATURES }],
]);

function hostFunction({ module, name }: ObjectInfo['imports'][number]): Given | undefined {
  const host = HOST_INTERFACES.get(module);
  const signature = host?.signatures.get(name);
  return signature === undefined ? undefined : { owner: host!.owner, kind: 'func', signature };
}

/**
 * Compares each import with what it was bound to: an export of a compiled module, or a function of WASI.
 * @throws DiagnosticError W401 for what nobody provides, used or not; W402 for what has another type
 */
export function checkImports(objects: readonly InputObject[], isDefined: (symbol: string) => boolean): void {
  const exported = new Map<string, Given>();
  for (const { name, info } of objects) {
    for (const entry of info?.exports ?? []) exported.set(entry.symbol, { owner: name, ...entry });
  }
  const aliases = reexports(objects);
  const find = (symbol: string): Given | undefined => {
    let name: string | undefined = symbol;
    for (let links = 0; name !== undefined && links <= aliases.size; links++) {
      const given = exported.get(name);
      if (given !== undefined) return given;
      name = aliases.get(name);
    }
    return undefined;
  };
  for (const { name, info } of objects) {
    for (const wanted of info?.imports ?? []) {
      const provided = find(wanted.symbol);
      // Other host functions of the runtime say nothing of their types.
      const isHost = provided === undefined && wanted.kind === 'func' && isDefined(wanted.symbol);
      const given = isHost ? hostFunction(wanted) : provided;
      if (given === undefined && isHost) continue;
      if (given === undefined)
        throw new DiagnosticError('W401', `nothing provides ${describe(wanted)} imported by ${name}`);
      if (given.kind === wanted.kind) {
        if (wanted.kind === 'func') {
          if (given.signature === wanted.signature) continue;
        } else if (externTypeMatches(wanted.kind, given.type ?? '', wanted.type ?? '')) continue;
      }
      const type = given.signature ?? given.type;
      const kind = type === undefined ? given.kind : `${given.kind} (${type})`;
      throw new DiagnosticError('W402', `${describe(wanted)} imported by ${name} is a ${kind} in ${given.owner}`);
    }
  }
}

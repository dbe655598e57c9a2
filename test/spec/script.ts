// Takes S-expressions of a .wast file; gives the list of commands. Knows the script grammar, not how modules are
// converted or executed.
import { atomText, isList, lineAt, parseSExprs, stringText, type SExpr, type SList } from './sexpr.js';

/** Source of a module: text still to be converted, or bytes. `quote` is text given as strings. */
export interface ModuleSource {
  readonly kind: 'text' | 'binary' | 'quote';
  readonly text: string;
  readonly bytes: Uint8Array;
  readonly id: string | undefined;
  /** `(module definition ...)`: not instantiated at once. */
  readonly definition: boolean;
}

export interface Action {
  readonly kind: 'invoke' | 'get';
  readonly module: string | undefined;
  readonly field: string;
  readonly args: readonly SExpr[];
}

export type Command = { readonly line: number } & (
  | { readonly kind: 'module'; readonly module: ModuleSource }
  | { readonly kind: 'instance'; readonly id: string | undefined; readonly definition: string | undefined }
  | { readonly kind: 'register'; readonly as: string; readonly id: string | undefined }
  | { readonly kind: 'action'; readonly action: Action }
  | { readonly kind: 'assert_return'; readonly action: Action; readonly expected: readonly SExpr[] }
  | { readonly kind: 'assert_trap' | 'assert_exhaustion'; readonly action: Action; readonly text: string }
  | {
      readonly kind: 'assert_trap_module' | 'assert_malformed' | 'assert_invalid' | 'assert_unlinkable';
      readonly module: ModuleSource;
      readonly text: string;
    }
  | { readonly kind: 'unknown'; readonly what: string }
);

const EMPTY = new Uint8Array();

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function parseModule(e: SList, source: string): ModuleSource {
  let i = 1;
  let definition = false;
  if (atomText(e.items[i]) === 'definition') {
    definition = true;
    i++;
  }
  let id: string | undefined;
  if (atomText(e.items[i])?.startsWith('$') === true) id = atomText(e.items[i++]);
  const form = atomText(e.items[i]);
  if (form === 'binary' || form === 'quote') {
    const strings = e.items.slice(i + 1).map((s) => (s.kind === 'string' ? s.bytes : EMPTY));
    const bytes = concat(strings);
    if (form === 'binary') return { kind: 'binary', text: '', bytes, id, definition };
    const text = strings.map((s) => new TextDecoder().decode(s)).join(' ');
    return { kind: 'quote', text: `(module ${text})`, bytes, id, definition };
  }
  let text = source.slice(e.start, e.end);
  if (definition) text = text.replace(/^\(module\s+definition/, '(module');
  return { kind: 'text', text, bytes: EMPTY, id, definition };
}

function parseAction(e: SExpr | undefined): Action | undefined {
  if (!isList(e, 'invoke') && !isList(e, 'get')) return undefined;
  let i = 1;
  let module: string | undefined;
  if (atomText(e.items[i]) !== undefined) module = atomText(e.items[i++]);
  const field = stringText(e.items[i++])!;
  return { kind: isList(e, 'invoke') ? 'invoke' : 'get', module, field, args: e.items.slice(i) };
}

function parseCommand(e: SExpr, source: string): Command {
  const line = lineAt(source, e.start);
  if (!isList(e)) return { kind: 'unknown', what: 'stray token', line };
  const head = atomText(e.items[0]) ?? '';
  const moduleOf = (item: SExpr | undefined): ModuleSource | undefined =>
    isList(item, 'module') ? parseModule(item, source) : undefined;
  const unknown = (): Command => ({ kind: 'unknown', what: head, line });
  switch (head) {
    case 'module':
      if (atomText(e.items[1]) === 'instance')
        return { kind: 'instance', id: atomText(e.items[2]), definition: atomText(e.items[3]), line };
      return { kind: 'module', module: parseModule(e, source), line };
    case 'register':
      return { kind: 'register', as: stringText(e.items[1])!, id: atomText(e.items[2]), line };
    case 'invoke':
    case 'get':
      return { kind: 'action', action: parseAction(e)!, line };
    case 'assert_return': {
      const action = parseAction(e.items[1]);
      return action ? { kind: head, action, expected: e.items.slice(2), line } : unknown();
    }
    case 'assert_return_canonical_nan':
    case 'assert_return_arithmetic_nan':
      return unknown();
    case 'assert_trap':
    case 'assert_exhaustion': {
      const action = parseAction(e.items[1]);
      const text = stringText(e.items[2]) ?? '';
      if (action) return { kind: head, action, text, line };
      const module = moduleOf(e.items[1]);
      return module && head === 'assert_trap' ? { kind: 'assert_trap_module', module, text, line } : unknown();
    }
    case 'assert_malformed':
    case 'assert_invalid':
    case 'assert_unlinkable': {
      const module = moduleOf(e.items[1]);
      return module ? { kind: head, module, text: stringText(e.items[2]) ?? '', line } : unknown();
    }
    default:
      return unknown();
  }
}

/** All commands of a script. A file that is just module fields (an inline module) is one module command. */
export function parseScript(source: string): Command[] {
  const expressions = parseSExprs(source);
  const first = expressions[0];
  const fields = ['func', 'type', 'memory', 'table', 'global', 'import', 'export', 'start', 'elem', 'data'];
  if (isList(first) && fields.includes(atomText(first.items[0]) ?? '')) {
    const text = `(module ${source})`;
    return [
      { kind: 'module', module: { kind: 'text', text, bytes: EMPTY, id: undefined, definition: false }, line: 1 },
    ];
  }
  return expressions.map((e) => parseCommand(e, source));
}

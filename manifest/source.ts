// Takes the text of a JSON file, gives its value and where each part of it stands. Refuses comments, duplicate keys and
// abysmal nesting; knows no schema.
import { parseTree, printParseErrorCode } from 'jsonc-parser';
import type { Node, ParseError } from 'jsonc-parser';
import { DiagnosticError } from '../compiler/diagnostics.js';
import type { Place } from '../compiler/diagnostics.js';
import { raise } from './findings.js';

/** Deeper than any manifest; the JSON parser and its users recurse. */
const MAX_DEPTH = 64;
const MAX_BYTES = 1024 * 1024;

/** A parsed JSON file. */
export interface JsonSource {
  readonly value: unknown;
  /** Where the part at a JSON pointer (RFC 6901) stands; a missing part is its nearest parent's. */
  readonly placeOf: (pointer: string) => Place;
}

/** @throws DiagnosticErrors W801 with all faults of the syntax */
export function parseJson(bytes: Uint8Array, file: string): JsonSource {
  if (bytes.length > MAX_BYTES) throw new DiagnosticError('W801', `longer than ${MAX_BYTES} bytes`, { file });
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new DiagnosticError('W801', 'not UTF-8 text', { file });
  }
  const lineStarts = findLines(text);
  const at = (offset: number): Place => ({ file, ...lineAndColumn(lineStarts, offset) });
  const deep = tooDeep(text);
  if (deep >= 0) throw new DiagnosticError('W801', `nested deeper than ${MAX_DEPTH}`, at(deep));
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { disallowComments: true, allowTrailingComma: false, allowEmptyContent: false });
  const faults = errors
    // What directly follows a fault is its consequence.
    .filter(({ offset }, i) => i === 0 || offset > errors[i - 1]!.offset + errors[i - 1]!.length)
    .map(({ error, offset }) => new DiagnosticError('W801', describe(error), at(offset)));
  if (root === undefined && faults.length === 0) faults.push(new DiagnosticError('W801', 'nothing in it', at(0)));
  if (root !== undefined)
    collectDuplicates(root, (key, offset) =>
      faults.push(new DiagnosticError('W801', `"${key}" is there twice`, at(offset))),
    );
  raise(faults);
  return {
    value: toValue(root!),
    placeOf: (pointer) => ({ ...at(find(root!, pointer).offset), pointer }),
  };
}

/** `PropertyNameExpected` as words. */
function describe(error: ParseError['error']): string {
  return printParseErrorCode(error)
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase();
}

/** Offset of the bracket that is one too many, or -1. */
function tooDeep(text: string): number {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (inString) {
      if (c === '\\') i++;
      else if (c === '"' || c === '\n') inString = false;
    } else if (c === '"') inString = true;
    else if (c === '[' || c === '{') {
      if (++depth > MAX_DEPTH) return i;
    } else if (c === ']' || c === '}') depth--;
  }
  return -1;
}

function findLines(text: string): number[] {
  const starts = [0];
  for (let i = text.indexOf('\n'); i >= 0; i = text.indexOf('\n', i + 1)) starts.push(i + 1);
  return starts;
}

function lineAndColumn(starts: readonly number[], offset: number): { line: number; column: number } {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle]! <= offset) low = middle;
    else high = middle - 1;
  }
  return { line: low + 1, column: offset - starts[low]! + 1 };
}

function collectDuplicates(node: Node, report: (key: string, offset: number) => void): void {
  const seen = new Set<string>();
  for (const child of node.children ?? []) {
    const key = child.type === 'property' ? child.children?.[0] : undefined;
    if (key !== undefined) {
      const name = String(key.value);
      if (seen.has(name)) report(name, key.offset);
      seen.add(name);
    }
    collectDuplicates(child, report);
  }
}

/** Own objects without a prototype's names; `__proto__` is a key as any other. */
function toValue(node: Node): unknown {
  switch (node.type) {
    case 'object': {
      const object: Record<string, unknown> = {};
      for (const { children } of node.children ?? []) {
        const [key, value] = children ?? [];
        if (key === undefined || value === undefined) continue;
        const descriptor = { value: toValue(value), enumerable: true, configurable: true, writable: true };
        Object.defineProperty(object, String(key.value), descriptor);
      }
      return object;
    }
    case 'array':
      return (node.children ?? []).map(toValue);
    default:
      return node.value as unknown;
  }
}

/** The value at a pointer, or as far as the way goes. */
function find(root: Node, pointer: string): Node {
  let node = root;
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    const next: Node | undefined =
      node.type === 'array'
        ? node.children?.[Number(key)]
        : node.children?.find(({ children }) => children?.[0]?.value === key)?.children?.[1];
    if (next === undefined) break;
    node = next;
  }
  return node;
}

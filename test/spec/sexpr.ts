// Takes the text of a .wast script; gives S-expressions with their source ranges. Knows the lexical grammar only.

export interface SList {
  readonly kind: 'list';
  readonly items: readonly SExpr[];
  readonly start: number;
  readonly end: number;
}
export interface SAtom {
  readonly kind: 'atom';
  readonly text: string;
  readonly start: number;
  readonly end: number;
}
export interface SString {
  readonly kind: 'string';
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}
export type SExpr = SList | SAtom | SString;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** All top-level expressions of the script. Throws a plain Error with the line on a lexical fault. */
export function parseSExprs(text: string): SExpr[] {
  let at = 0;
  const fail = (message: string): never => {
    throw new Error(`line ${lineAt(text, at)}: ${message}`);
  };
  const skip = (): void => {
    for (;;) {
      const c = text[at];
      if (c === ' ' || c === '\n' || c === '\t' || c === '\r') at++;
      else if (c === ';' && text[at + 1] === ';') {
        const end = text.indexOf('\n', at);
        at = end < 0 ? text.length : end;
      } else if (c === '(' && text[at + 1] === ';') {
        let depth = 0;
        do {
          if (text.startsWith('(;', at)) {
            depth++;
            at += 2;
          } else if (text.startsWith(';)', at)) {
            depth--;
            at += 2;
          } else if (at >= text.length) fail('unclosed block comment');
          else at++;
        } while (depth > 0);
      } else if (c === '(' && text[at + 1] === '@') {
        // An annotation is a comment for us.
        parse();
      } else return;
    }
  };
  const parseString = (): SString => {
    const start = at++;
    const bytes: number[] = [];
    for (;;) {
      const c = text[at];
      if (c === undefined) fail('unclosed string');
      if (c === '"') break;
      if (c === '\\') {
        const next = text[at + 1]!;
        const simple = { n: 10, t: 9, r: 13, '"': 34, "'": 39, '\\': 92 }[next];
        if (simple !== undefined) {
          bytes.push(simple);
          at += 2;
        } else if (next === 'u') {
          const close = text.indexOf('}', at);
          bytes.push(
            ...encoder.encode(String.fromCodePoint(parseInt(text.slice(at + 3, close).replace(/_/g, ''), 16))),
          );
          at = close + 1;
        } else {
          bytes.push(parseInt(text.slice(at + 1, at + 3), 16));
          at += 3;
        }
      } else {
        const point = text.codePointAt(at)!;
        if (point < 128) bytes.push(point);
        else bytes.push(...encoder.encode(String.fromCodePoint(point)));
        at += point > 0xffff ? 2 : 1;
      }
    }
    at++;
    return { kind: 'string', bytes: Uint8Array.from(bytes), start, end: at };
  };
  const parse = (): SExpr => {
    const start = at;
    if (text[at] === '"') return parseString();
    if (text[at] === '(') {
      at++;
      const items: SExpr[] = [];
      for (;;) {
        skip();
        if (at >= text.length) fail('unclosed parenthesis');
        if (text[at] === ')') break;
        items.push(parse());
      }
      at++;
      return { kind: 'list', items, start, end: at };
    }
    while (at < text.length && !/[\s()";]/.test(text[at]!)) at++;
    if (at === start) {
      if (text[at] === ';') at++;
      else fail(`unexpected ${JSON.stringify(text[at])}`);
    }
    return { kind: 'atom', text: text.slice(start, at), start, end: at };
  };
  const out: SExpr[] = [];
  for (;;) {
    skip();
    if (at >= text.length) return out;
    out.push(parse());
  }
}

/** 1-based line of a position. */
export function lineAt(text: string, position: number): number {
  let line = 1;
  for (let i = text.indexOf('\n'); i >= 0 && i < position; i = text.indexOf('\n', i + 1)) line++;
  return line;
}

export function isList(e: SExpr | undefined, head?: string): e is SList {
  return e?.kind === 'list' && (head === undefined || atomText(e.items[0]) === head);
}
export function atomText(e: SExpr | undefined): string | undefined {
  return e?.kind === 'atom' ? e.text : undefined;
}
/** The string's bytes as text (invalid UTF-8 becomes replacement characters). */
export function stringText(e: SExpr | undefined): string | undefined {
  return e?.kind === 'string' ? decoder.decode(e.bytes) : undefined;
}

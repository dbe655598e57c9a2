// Takes the programming interface of modules and the three SDKs; gives docs/api.md: what each function does, from the C
// header's comments, and how it is called in each language. Knows nothing of what is behind the functions.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { THINGSPIRE_MODULE, THINGSPIRE_SIGNATURES } from '../compiler/abi/os-imports.js';

const root = join(fileURLToPath(import.meta.url), '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const oneLine = (text: string): string =>
  text
    .replace(/\s+/g, ' ')
    .replaceAll('( ', '(')
    .replaceAll(',)', ')')
    .replaceAll(', )', ')')
    .replace(/, *$/, '')
    .trim();

interface Entry {
  readonly section: string;
  readonly name: string;
  readonly doc: string;
  readonly c: string;
}

/** Documented functions and macros of the C header, in order. */
function readHeader(): Entry[] {
  const entries: Entry[] = [];
  let section = 'Values';
  const pattern = /\/\* ---- (.+?) ---- \*\/|\/\*\*([\s\S]*?)\*\/\n([^{;]*?)(?=\s*[{;]|\n\n)(?: \{[^}]*\} (\w+);)?/g;
  for (const [, heading, comment, declaration, typeName] of read('sdk/c/thingspire.h').matchAll(pattern)) {
    if (heading !== undefined) {
      section = heading;
      continue;
    }
    const doc = oneLine(comment!.replace(/^ \* ?/gm, ''));
    const macro = /^#define (TS_\w+)(\([\w, ]*\))?/.exec(declaration!);
    const c = oneLine(
      declaration!.replace(/^(TS_INLINE|TS_IMPORT\("\w+"\)|__attribute__\(\(.*?\)\) TS_INLINE)\s+/, ''),
    );
    const name = macro?.[1] ?? typeName ?? /(\w+)\(/.exec(c)?.[1] ?? /(\w+)$/.exec(c)![1]!;
    const form = macro === null ? (typeName ?? c) : macro[1]! + (macro[2] ?? '');
    entries.push({ section, name: c.startsWith('enum ') && !c.endsWith(')') ? c : name, doc, c: form });
  }
  return entries;
}

/** `Owner.name` or `name` -> signature, of functions after `export` or in classes. */
function readAssemblyScript(): Map<string, string> {
  const found = new Map<string, string>();
  let owner = '';
  const pattern =
    /^export class (\w+)|^(\})$|^(export (?:declare )?function | {2}(?!private|if|while|for|return))(\w+)(\([^)]*\): [\w ]+?)(?: \{|;)$/gm;
  for (const [, opened, closed, start, name, rest] of read('sdk/assemblyscript/thingspire/index.ts').matchAll(
    pattern,
  )) {
    if (opened !== undefined) owner = opened;
    else if (closed !== undefined) owner = '';
    else if (start!.startsWith('export')) found.set(name!, name! + oneLine(rest!));
    else if (owner !== '') found.set(`${owner}.${name!}`, `${owner}.${name!}${oneLine(rest!)}`);
  }
  return found;
}

function readRust(): Map<string, string> {
  const found = new Map<string, string>();
  for (const file of readdirSync(join(root, 'sdk/rust/src')).sort()) {
    if (file === 'imports.rs') continue;
    let owner = '';
    const pattern =
      /^impl(?:<.*?>)? (\w+)(?:<\w+>)? \{|^(\})$|^ *pub (?:unsafe )?(?:const )?fn (\w+)([^{]*?)\s\{|^macro_rules! (\w+)/gm;
    for (const [, opened, closed, name, rest, macro] of read(`sdk/rust/src/${file}`).matchAll(pattern)) {
      if (opened !== undefined) owner = opened;
      else if (closed !== undefined) owner = '';
      else if (macro !== undefined) found.set(`${macro}!`, `${macro}! { ... }`);
      else
        found.set(
          owner === '' ? name! : `${owner}::${name!}`,
          `${owner === '' ? '' : `${owner}::`}${name!}${oneLine(rest!)}`,
        );
    }
  }
  return found;
}

/** Where a language's form is not named by the rule: a function of its SDK, or how it is written. */
const ASSEMBLYSCRIPT: Readonly<Record<string, string>> = {
  TS_HANDLER: 'export function name(payload: usize, payloadBytes: u32, response: usize, capacity: u32): Result',
  TS_TYPED_HANDLER: 'the same; changetype<T>(payload) gives it a type',
  TS_ON_START: 'export function on_start(): void',
  TS_ON_TIMER: 'export function on_timer(timer: u32): void',
  TS_ON_NOTIFY: 'export function on_notify(subscription: i32, result: Result): void',
  ts_delete: 'del',
  ts_result: 'type Result',
  'enum ts_method': 'Method',
  'enum ts_code': 'Code',
  'enum ts_right': 'Right',
  ts_window: 'load<T>(window), store<T>(window, value)',
  ts_line: 'line(): Line',
};
const RUST: Readonly<Record<string, string>> = {
  TS_HANDLER: 'handler! { fn name(request, response) -> Reply { ... } }',
  TS_TYPED_HANDLER: 'the same; request.read::<T>() and response.record(&value) give it types',
  TS_ON_START: 'on_start! { ... }',
  TS_ON_TIMER: 'on_timer! { |timer| ... }',
  TS_ON_NOTIFY: 'on_notify! { |subscription, reply| ... }',
  ts_reply: 'Reply::new',
  ts_code: 'Reply::code',
  ts_length: 'Reply::length',
  ts_ok: 'Reply::ok',
  ts_parameter: 'Request::parameter',
  ts_query: 'Request::query',
  ts_caller: 'Request::caller',
  ts_parameter_number: 'Request::parameter_number',
  ts_query_number: 'Request::query_number',
  ts_grant_caller: 'Request::grant_caller',
  ts_content: 'Response::content',
  ts_revoke: 'Window::revoke',
  ts_result: 'struct Reply',
  'enum ts_method': 'Method',
  'enum ts_code': 'Code',
  'enum ts_right': 'Right',
  ts_line: 'Line::new',
};

const camel = (name: string): string => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

/** How a function of the C header is written in another language, or undefined. */
function form(
  name: string,
  special: Readonly<Record<string, string>>,
  known: Map<string, string>,
  rule: string,
): string | undefined {
  const wanted = special[name];
  return wanted === undefined ? known.get(rule) : (known.get(wanted) ?? wanted);
}

/** The text of docs/api.md. */
export function apiDocument(): string {
  const assemblyScript = readAssemblyScript();
  const rust = readRust();
  const out = [
    '# Programming interface of modules',
    '',
    'Generated by `npx tsx scripts/generate-api-doc.ts` from `compiler/abi/os-imports.ts` and the SDKs in `sdk/`: a header for',
    'C, a module for AssemblyScript, a crate for Rust (`no_std`, no dependencies). What the words mean: [os.md](os.md).',
    '',
    '| language | compile with | import |',
    '|---|---|---|',
    '| C | `clang --target=wasm32 -mbulk-memory -nostdlib -Wl,--no-entry -Isdk/c` | `#include <thingspire.h>` |',
    "| AssemblyScript | `asc --path sdk/assemblyscript --runtime stub --use abort=~lib/thingspire/index/abort` | `import { call } from 'thingspire'` |",
    '| Rust | `--target wasm32-unknown-unknown`, crate `sdk/rust` | `use thingspire::*` |',
    '',
    `All of them call the same imports of module \`${THINGSPIRE_MODULE}\`:`,
    '',
    ...[...THINGSPIRE_SIGNATURES].map(([name, signature]) => `- \`${name}\` ${words(signature)}`),
  ];
  let section = '';
  for (const entry of readHeader()) {
    if (entry.section !== section) out.push('', `## ${(section = entry.section)}`);
    const bare = entry.name.replace(/^ts_/, '');
    const line = /^line_(\w+)$/.exec(bare)?.[1];
    const forms = [
      ['C', entry.c],
      [
        'AssemblyScript',
        form(entry.name, ASSEMBLYSCRIPT, assemblyScript, line === undefined ? camel(bare) : `Line.${camel(line)}`),
      ],
      ['Rust', form(entry.name, RUST, rust, line === undefined ? bare : `Line::${line}`)],
    ].filter(([, text]) => text !== undefined);
    out.push(
      '',
      `### ${entry.name}`,
      '',
      entry.doc,
      '',
      ...forms.map(([language, text]) => `- ${language}: \`${text!}\``),
    );
  }
  return `${out.join('\n')}\n`;
}

/** `iI:i` as people read it. */
function words(signature: string): string {
  const [params = '', results = ''] = signature.split(':');
  const names = (letters: string): string => [...letters].map((letter) => (letter === 'I' ? 'i64' : 'i32')).join(', ');
  return `(${names(params)})${results === '' ? '' : ` -> ${names(results)}`}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(join(root, 'docs/api.md'), apiDocument());
  console.log('wrote docs/api.md');
}

// Reads and judges one golden file of IR: input, directives and expected output in one text. Takes the text, gives what it
// should have been; knows no test framework. See docs/ir.md for the format.
import { TRAP_MESSAGES } from '../../compiler/abi/traps.js';
import { InternalError } from '../../compiler/diagnostics.js';
import { f32ToBits, f64ToBits, type Value } from '../../compiler/ir/eval.js';
import type { Func } from '../../compiler/ir/function.js';
import { initialise, invoke, Trap } from '../../compiler/ir/interp.js';
import { parseModule } from '../../compiler/ir/parse.js';
import { printFunc } from '../../compiler/ir/print.js';
import { Instance, Store } from '../../compiler/ir/runtime.js';
import { Type } from '../../compiler/ir/types.js';
import { assertValid, verifyFunc } from '../../compiler/ir/verify.js';
import { lowerModule, type OptLevel, PASSES, passContext } from '../../compiler/passes/pipeline.js';

const EXPECT = '; expect:';

/** `; name: value` lines of a file, in order. */
function directives(text: string, name: string): string[] {
  const out: string[] = [];
  for (const line of text.split('\n')) if (line.startsWith(`; ${name}: `)) out.push(line.slice(name.length + 4).trim());
  return out;
}

/**
 * Applies the passes of the `; passes:` line and gives the file with the output it now has. Without such a line the text
 * is only parsed and printed. `; cfi:` and `; level:` set options (forward, 2).
 */
export function blessed(text: string): string {
  const input = text.split(`${EXPECT}\n`)[0]!.trimEnd();
  const { module } = parseModule(input);
  const names = (directives(input, 'passes')[0] ?? '').split(/[ ,]+/).filter((name) => name !== '');
  const context = passContext(module, {
    level: (directives(input, 'level')[0] ?? '2') as OptLevel,
    cfi: (directives(input, 'cfi')[0] ?? 'forward') as 'forward',
  });
  const isWanted = (f: Func): boolean => f.index !== module.initIndex || input.includes(`init ${f.index}`);
  for (const func of module.bodies) assertValid(func, 'parsing', { module });
  let words = false;
  for (const name of names) {
    const pass = PASSES.find((p) => p.name === name);
    if (pass === undefined) throw new Error(`unknown pass ${name}`);
    if ('runModule' in pass) pass.runModule(context, () => undefined);
    else {
      for (const func of module.bodies) if (isWanted(func)) pass.run(func, context);
      words ||= pass.words === true;
    }
    for (const func of module.bodies) if (isWanted(func)) assertValid(func, name, words ? { words } : {});
  }
  const wanted = module.bodies.filter(isWanted);
  const stats = Object.entries(context.stats).map(([name, n]) => `; ${name} = ${n}`);
  const output = wanted.map((f) => printFunc(f)).join('\n');
  const lines = output
    .trimEnd()
    .split('\n')
    .map((line) => (line === '' ? ';' : `; ${line}`));
  return `${input}\n\n${EXPECT}\n${[...lines, ...stats].join('\n')}\n`;
}

/** Checks `; error: text` comments: each line that ends in one must hold an instruction at fault with that text. */
export function verifierMismatches(text: string): string[] {
  const { module, lineOf } = parseModule(text);
  const machine = text.includes('; machine');
  const found = new Map<number, string>();
  for (const func of module.bodies) {
    for (const { inst, message } of verifyFunc(func, { module, machine })) {
      const line = inst === null ? 0 : (lineOf.get(func.index)?.[inst.id] ?? 0);
      if (!found.has(line)) found.set(line, message);
    }
  }
  const wrong: string[] = [];
  text.split('\n').forEach((line, i) => {
    const expected = /; error: (.*)$/.exec(line)?.[1];
    const got = found.get(i + 1);
    found.delete(i + 1);
    if (expected !== undefined && got === undefined) wrong.push(`line ${i + 1}: no fault, expected "${expected}"`);
    else if (expected === undefined && got !== undefined) wrong.push(`line ${i + 1}: unexpected fault "${got}"`);
    else if (expected !== undefined && !got!.includes(expected))
      wrong.push(`line ${i + 1}: "${got}", expected "${expected}"`);
  });
  const general = found.get(0);
  if (general !== undefined && !text.includes(`; fault: ${general}`)) wrong.push(`unexpected fault "${general}"`);
  return wrong;
}

/** One way to get from text to something that runs: as it is, or lowered to words at a level. */
export const VARIANTS: readonly (OptLevel | 'as it is')[] = ['as it is', '0', '1', '2', 's'];

/** Runs every `; run:` and `; trap:` line through one variant; gives the lines that did not hold, with what came out. */
export function runMismatches(text: string, variant: OptLevel | 'as it is'): string[] {
  const { module } = parseModule(text);
  if (variant !== 'as it is') {
    lowerModule(module, { level: variant, cfi: 'forward', verify: true, keepMemory: true });
  }
  const wrong: string[] = [];
  for (const kind of ['run', 'trap'] as const) {
    for (const line of directives(text, kind)) {
      const match = /^@(\w+)\((.*?)\)(?: == (.*))?$/.exec(line);
      if (match === null) throw new Error(`bad ${kind} line: ${line}`);
      const [, name, args, expected] = match;
      const store = new Store();
      store.fuel = 1_000_000;
      store.maxDepth = 1000;
      const instance = new Instance(store, module, () => undefined, variant !== 'as it is');
      const func = instance.funcs.find((f) => f.name === name);
      if (func === undefined) throw new Error(`no function ${name}`);
      let got: string;
      try {
        initialise(instance);
        const { params, results } = func.signature;
        const values = args!
          .split(',')
          .filter((a) => a.trim() !== '')
          .map((a, i) => parseValue(a.trim(), params[i]!));
        got = invoke(store, func, values)
          .map((v, i) => formatValue(v, results[i]!))
          .join(', ');
      } catch (error) {
        if (error instanceof InternalError || !(error instanceof Trap)) throw error;
        got = `trap ${TRAP_MESSAGES[error.code]}`;
      }
      const types = func.signature.results;
      const want =
        kind === 'trap'
          ? `trap ${expected}`
          : (expected ?? '')
              .split(',')
              .filter((a) => a.trim() !== '')
              .map((a, i) => formatValue(parseValue(a.trim(), types[i]!), types[i]!))
              .join(', ');
      if (got !== want) wrong.push(`${line}: got ${got}`);
    }
  }
  return wrong;
}

/** Integers in decimal or hexadecimal; floats in decimal, or their bits in hexadecimal. */
function parseValue(text: string, type: Type): Value {
  const hex = /^-?0x/.test(text);
  const big = (): bigint => (text.startsWith('-') ? -BigInt(text.slice(1)) : BigInt(text));
  if (type === Type.I32) return Number(BigInt.asIntN(32, big()));
  if (type === Type.I64) return BigInt.asIntN(64, big());
  if (type === Type.F32) return hex ? Number(BigInt.asIntN(32, big())) : f32ToBits(Number(text));
  return hex ? BigInt.asIntN(64, big()) : f64ToBits(Number(text));
}

function formatValue(value: Value, type: Type): string {
  if (type === Type.F32) return `0x${((value as number) >>> 0).toString(16)}`;
  if (type === Type.F64) return `0x${BigInt.asUintN(64, value as bigint).toString(16)}`;
  return String(value);
}

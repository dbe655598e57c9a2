// Which passes run in which order at each optimisation level, from a module's fresh IR to machine ops. Takes an IrModule,
// rewrites its bodies in place, gives counters. Knows no pass from inside.
import { functionSymbols } from '../abi/symbols.js';
import type { Func } from '../ir/function.js';
import type { IrModule } from '../ir/module.js';
import { assertValid, type VerifyOptions } from '../ir/verify.js';
import { markBlocks } from '../analysis/loops.js';
import { reduceBoundsChecks } from './bounds.js';
import { expandIndirectCalls, type CfiLevel } from './cfi.js';
import { eliminateDeadCode } from './dce.js';
import { fold } from './fold.js';
import { numberValues } from './gvn.js';
import { legalizeF64 } from './legalize-f64.js';
import { legalizeI64 } from './legalize-i64.js';
import { hoistInvariants } from './licm.js';
import { lowerLibCalls } from './lower-libcalls.js';
import { lowerMemory } from './lower-memory.js';
import { Need, needsOf } from './needs.js';
import { removedPairs, removeStackPairs } from './stack-pairs.js';

export type OptLevel = '0' | '1' | '2' | 's';

export interface PassOptions {
  readonly level: OptLevel;
  readonly cfi: CfiLevel;
  /** Verify the IR after every pass (always on in tests). */
  readonly verify?: boolean;
  /** Names of optimisation passes to leave out, to measure what they bring. Lowering cannot be left out. */
  readonly without?: ReadonlySet<string>;
  /** Leave lower-memory out, so that the reference interpreter still understands the IR. */
  readonly keepMemory?: boolean;
  /** Called after every pass on every function. */
  readonly afterPass?: (pass: string, func: Func) => void;
}

/** What passes did, by `pass.counter`, summed over the module. */
export type PassStats = Record<string, number>;

export interface PassContext {
  readonly module: IrModule;
  readonly options: PassOptions;
  readonly symbols: readonly string[];
  readonly stats: PassStats;
}

interface Pass {
  readonly name: string;
  /** Levels at which an optimisation runs; lowering has none and always runs. */
  readonly levels?: string;
  /** From this pass on signatures and values are words. */
  readonly words?: boolean;
  /** Bit of `Need` without which a lowering pass has nothing to do. */
  readonly need?: Need;
  readonly run: (func: Func, context: PassContext) => void;
}

/** Adds to a counter. */
export function count(stats: PassStats, name: string, by: number): void {
  if (by !== 0) stats[name] = (stats[name] ?? 0) + by;
}

const OPTIMISED = '12s';

/** A pass that runs both on Wasm-level IR and on lowered IR. */
function cleanup(suffix: string, words: boolean): Pass[] {
  const common = { levels: OPTIMISED, words };
  return [
    {
      ...common,
      name: `stack-pairs${suffix}`,
      run: (func, { stats }) => {
        const c = removeStackPairs(func);
        count(stats, `stack-pairs${suffix}.pairs`, c.pairs);
        count(stats, `stack-pairs${suffix}.removed`, removedPairs(c));
        count(stats, `stack-pairs${suffix}.trivial`, c.trivial);
        count(stats, `stack-pairs${suffix}.duplicate`, c.duplicate);
        count(stats, `stack-pairs${suffix}.straight`, c.straight);
        count(stats, `stack-pairs${suffix}.threaded`, c.threaded);
      },
    },
    {
      ...common,
      name: `fold${suffix}`,
      run: (func, { stats }) => count(stats, `fold${suffix}.simplified`, fold(func)),
    },
    {
      ...common,
      name: `gvn${suffix}`,
      run: (func, { stats, module }) => {
        const c = numberValues(func, module);
        count(stats, `gvn${suffix}.values`, c.values);
        count(stats, `gvn${suffix}.loads`, c.loads);
        count(stats, `gvn${suffix}.checks`, c.checks);
      },
    },
    {
      ...common,
      name: `dce${suffix}`,
      run: (func, { stats }) => count(stats, `dce${suffix}.dropped`, eliminateDeadCode(func)),
    },
  ];
}

export const PASSES: readonly Pass[] = [
  ...cleanup('', false),
  {
    name: 'bounds',
    levels: OPTIMISED,
    run: (func, { module, stats }) => {
      const c = reduceBoundsChecks(func, module);
      count(stats, 'bounds.checks', c.checks);
      count(stats, 'bounds.range', c.range);
      count(stats, 'bounds.covered', c.covered);
      count(stats, 'bounds.grouped', c.grouped);
      count(stats, 'bounds.rebased', c.rebased);
    },
  },
  {
    name: 'cfi',
    need: Need.IndirectCalls,
    run: (func, { module, options, stats }) =>
      count(stats, 'cfi.indirectCalls', expandIndirectCalls(func, module, options.cfi)),
  },
  { name: 'legalize-f64', need: Need.F64, run: legalizeF64 },
  { name: 'lower-libcalls', need: Need.LibCalls, run: lowerLibCalls },
  { name: 'legalize-i64', need: Need.I64, words: true, run: legalizeI64 },
  { name: 'lower-memory', words: true, run: (func, { module, symbols }) => lowerMemory(func, module, symbols) },
  ...cleanup('-lowered', true),
  {
    name: 'licm',
    levels: '2',
    words: true,
    run: (func, { stats }) => count(stats, 'licm.hoisted', hoistInvariants(func)),
  },
  { name: 'block-marks', words: true, run: markBlocks },
];

/** Runs all passes of the level on every body of `module`, leaving only machine ops (machine-ops.ts). */
export function lowerModule(module: IrModule, options: PassOptions): PassStats {
  const context: PassContext = { module, options, symbols: functionSymbols(module), stats: {} };
  for (const func of module.bodies) lowerFunc(func, context);
  return context.stats;
}

/** The same for one function. */
export function lowerFunc(func: Func, context: PassContext): void {
  const { options } = context;
  let words = false;
  let needs = -1;
  for (const pass of PASSES) {
    if (pass.name === 'lower-memory' && options.keepMemory === true) continue;
    if (
      pass.levels !== undefined &&
      (!pass.levels.includes(options.level) || options.without?.has(pass.name) === true)
    ) {
      continue;
    }
    if (pass.need !== undefined) {
      if (needs === -1) needs = needsOf(func);
      words ||= pass.words === true;
      if ((needs & pass.need) === 0) continue;
    }
    pass.run(func, context);
    words ||= pass.words === true;
    if (options.verify === true) assertValid(func, pass.name, verifyOptions(context.module, words, pass.name));
    options.afterPass?.(pass.name, func);
  }
  if (options.verify === true && options.keepMemory !== true)
    assertValid(func, 'lowering', { module: context.module, machine: true });
}

/** Between f64's and i64's legalisation signatures are neither Wasm's nor words, so callees are not compared. */
function verifyOptions(module: IrModule, words: boolean, pass: string): VerifyOptions {
  if (words) return { module, words };
  return pass === 'legalize-f64' || pass === 'lower-libcalls' ? {} : { module };
}

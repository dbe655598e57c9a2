// Which passes run in which order at each optimisation level, from a module's fresh IR to machine ops. Takes an IrModule,
// rewrites its bodies in place and drops those that nobody needs, gives counters. Knows no pass from inside.
import { functionSymbols } from '../abi/symbols.js';
import { CheckLog, type ExplainedCheck } from '../ir/check-log.js';
import type { Func } from '../ir/function.js';
import type { IrModule } from '../ir/module.js';
import { assertValid, type VerifyOptions } from '../ir/verify.js';
import { markBlocks } from '../analysis/loops.js';
import { type ModuleConstants, moduleConstants } from '../analysis/module-constants.js';
import { allowWindows } from './allow-windows.js';
import { reduceBoundsChecks } from './bounds.js';
import { expandIndirectCalls, type CfiLevel } from './cfi.js';
import { callDirectly, foldGlobals } from './constant-state.js';
import { eliminateDeadCode } from './dce.js';
import { dropDeadStores } from './dead-stores.js';
import { fold } from './fold.js';
import { numberValues } from './gvn.js';
import { FAST, inlineCalls, SMALL } from './inline.js';
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
  /** Grant windows satisfy bounds checks of memory 0. Default false. */
  readonly windows?: boolean;
  /** Verify the IR after every pass (always on in tests). */
  readonly verify?: boolean;
  /** Names of optimisation passes to leave out, to measure what they bring. Lowering cannot be left out. */
  readonly without?: ReadonlySet<string>;
  /** Leave lower-memory out, so that the reference interpreter still understands the IR. */
  readonly keepMemory?: boolean;
  /** Called with every function and what became of its checks, once it is lowered. */
  readonly onChecks?: (func: Func, checks: readonly ExplainedCheck[]) => void;
  /** Called after every pass on every function. */
  readonly afterPass?: (pass: string, func: Func) => void;
}

/** What passes did, by `pass.counter`, summed over the module. */
export type PassStats = Record<string, number>;

export interface PassContext {
  readonly module: IrModule;
  readonly options: PassOptions;
  readonly constants: ModuleConstants;
  readonly symbols: readonly string[];
  readonly stats: PassStats;
}

/** What passes need of `module`, whose bodies are still as they were translated. */
export function passContext(module: IrModule, options: PassOptions): PassContext {
  return { module, options, constants: moduleConstants(module), symbols: functionSymbols(module), stats: {} };
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

/** A pass that sees all functions at once, between the passes on single functions. */
interface ModulePass {
  readonly name: string;
  readonly levels: string;
  /** `cleanUp` runs the passes that come before on one function; the pass has to call it for each. */
  readonly runModule: (context: PassContext, cleanUp: (func: Func) => void) => void;
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
      // Once lowered, what it removes is worth a moment more than the moves that take its place are bytes.
      levels: words ? '12' : OPTIMISED,
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

/** On each function, before its callers may take it in. */
const EARLY: readonly Pass[] = [
  {
    name: 'constant-globals',
    levels: OPTIMISED,
    run: (func, { constants, stats }) => count(stats, 'constant-globals.reads', foldGlobals(func, constants)),
  },
  ...cleanup('', false),
  {
    name: 'direct-calls',
    levels: OPTIMISED,
    run: (func, { module, constants, stats }) =>
      count(stats, 'direct-calls.calls', callDirectly(func, module, constants)),
  },
];

const INLINE: ModulePass = {
  name: 'inline',
  levels: '2s',
  runModule: ({ module, options, stats }, cleanUp) => {
    const c = inlineCalls(module, options.level === 's' ? SMALL : FAST, cleanUp);
    count(stats, 'inline.calls', c.calls);
    count(stats, 'inline.dropped', c.dropped);
  },
};

/** On each function, down to machine ops. */
const LATE: readonly Pass[] = [
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
    name: 'dead-stores',
    levels: OPTIMISED,
    run: (func, { module, stats }) => count(stats, 'dead-stores.dropped', dropDeadStores(func, module)),
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

/** All passes in the order in which they run. */
export const PASSES: readonly (Pass | ModulePass)[] = [...EARLY, INLINE, ...LATE];

/**
 * Runs all passes of the level on `module`, leaving only machine ops (machine-ops.ts) and, from -O2 on and at -Os, only
 * bodies that can be reached.
 */
export function lowerModule(module: IrModule, options: PassOptions): PassStats {
  if (options.windows === true) allowWindows(module);
  const context = passContext(module, options);
  const cleanUp = (func: Func): void => {
    if (options.onChecks !== undefined) collectChecks(func);
    runPasses(EARLY, func, context);
  };
  if (isOn(INLINE, options)) INLINE.runModule(context, cleanUp);
  else module.bodies.forEach(cleanUp);
  for (const func of module.bodies) {
    runPasses(LATE, func, context);
    if (func.checks !== null) options.onChecks?.(func, func.checks.explain(func));
    if (options.verify === true && options.keepMemory !== true)
      assertValid(func, 'lowering', { module: context.module, machine: true });
  }
  return context.stats;
}

/** Enters the function's checks into a log, those of what it took in too. */
function collectChecks(func: Func): void {
  func.checks = new CheckLog();
  func.checks.collect(func);
}

function isOn({ name, levels }: { readonly name: string; readonly levels?: string }, options: PassOptions): boolean {
  return levels === undefined || (levels.includes(options.level) && options.without?.has(name) !== true);
}

function runPasses(passes: readonly Pass[], func: Func, context: PassContext): void {
  const { options } = context;
  let words = false;
  let needs = -1;
  for (const pass of passes) {
    if (!isOn(pass, options) || (pass.name === 'lower-memory' && options.keepMemory === true)) continue;
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
}

/** Between f64's and i64's legalisation signatures are neither Wasm's nor words, so callees are not compared. */
function verifyOptions(module: IrModule, words: boolean, pass: string): VerifyOptions {
  if (words) return { module, words };
  return pass === 'legalize-f64' || pass === 'lower-libcalls' ? {} : { module };
}

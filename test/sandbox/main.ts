// `npm run sandbox`: the sandbox's evidence in full. Verifies the code of a test suite, damages compiled programs, runs hostile
// modules between canaries, injects control-flow faults. Prints counts; exit code 1 if anything got out or stayed unproved.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import type { CompileOptions } from '../../backend-xtensa/compile-module.js';
import { costs, runFaults, totalOf } from '../cfi/faults.js';
import { runFlips } from './flips.js';
import { newCounts, runAllHostile, runBoundaries } from './hostile-run.js';
import { verifyCorpus } from './corpus-code.js';
import { wasmOf } from './canary-device.js';
import { buildProgram, runMutations } from './mutate-run.js';
import { CHECKED_PROGRAM } from './programs.js';
import { newCodeCounts, scriptsBelow, verifyScript, type CodeCounts } from './spec-code.js';

const LEVELS = ['0', '1', '2', 's'] as const;
const MODES = ['forward', 'full'] as const;
const BOUNDARY_PARTS = 6;
/** Features that the compiler does not have (yet): their scripts have nothing to verify. */
const SKIPPED = /simd|relaxed|memory64|\/gc\/|exception|\/legacy\/|try_|throw|tag/;

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const argv = await yargs(hideBin(process.argv))
  .usage('npm run sandbox -- [options]\n\nVerifier, mutations, hostile modules and control-flow faults.')
  .option('suite', {
    type: 'string',
    default: process.env['WASM_TESTSUITE'] ?? join(dirname(root), 'shared', 'spec-testsuite'),
    describe: 'directory of .wast files whose code is verified',
  })
  .option('only', { choices: ['verify', 'mutate', 'flips', 'hostile', 'cfi'] as const, describe: 'one part only' })
  .option('level', { type: 'string', choices: LEVELS, describe: 'one optimisation level only' })
  .option('cfi', { type: 'string', choices: MODES, describe: 'one mode of control-flow integrity only' })
  .option('seconds', { type: 'number', default: 30, describe: 'how long bits are flipped' })
  .option('seed', { type: 'number', default: 1, describe: 'of the bit flips' })
  .strict()
  .parse();

const levels = argv.level === undefined ? LEVELS : [argv.level];
const modes = argv.cfi === undefined ? MODES : [argv.cfi];
const wants = (part: string): boolean => argv.only === undefined || argv.only === part;
let failed = 0;
const fail = (lines: readonly string[]): void => {
  failed += lines.length;
  for (const line of lines.slice(0, 20)) console.log(`  FAILED ${line}`);
};

function report(what: string, started: number, { files, modules, functions, bytes, failures }: CodeCounts): void {
  const seconds = ((Date.now() - started) / 1000).toFixed(0);
  console.log(
    `verify ${what}: ${files} files, ${modules} modules, ${functions} functions, ${bytes} bytes, ${failures.length} not proved, ${seconds} s`,
  );
  fail(failures);
}

if (wants('verify')) {
  const scripts = existsSync(argv.suite) ? scriptsBelow(argv.suite).filter((file) => !SKIPPED.test(file)) : [];
  if (scripts.length === 0) console.log(`verify: there is no suite at ${argv.suite}`);
  for (const level of levels) {
    for (const cfi of modes) {
      const compile = { level, cfi, tableReserve: 1024 };
      const corpus = newCodeCounts();
      let started = Date.now();
      verifyCorpus(compile, corpus);
      report(`-O${level} --cfi ${cfi}, corpus`, started, corpus);
      const windows = newCodeCounts();
      started = Date.now();
      verifyCorpus({ ...compile, windows: true }, windows);
      report(`-O${level} --cfi ${cfi}, corpus with grant windows`, started, windows);
      const suite = newCodeCounts();
      started = Date.now();
      for (const file of scripts) verifyScript(file, compile, suite);
      if (scripts.length > 0) report(`-O${level} --cfi ${cfi}, suite`, started, suite);
    }
  }
}
if (wants('mutate')) {
  const wasm = wasmOf(CHECKED_PROGRAM);
  let rejected = 0;
  let made = 0;
  const options = [{ level: '2' }, { level: '0', cfi: 'full' }, { level: '2', windows: true }] as const;
  for (const compile of options satisfies readonly CompileOptions[]) {
    const counts = runMutations(buildProgram(wasm, compile), 'cfi' in compile);
    rejected += counts.rejected;
    made += counts.verdicts.length;
    for (const [kind, count] of counts.byKind)
      console.log(
        `  -O${compile.level}${'windows' in compile ? ' --windows' : ''} ${kind.padEnd(34)} ${String(count.rejected).padStart(4)} rejected ${String(count.accepted).padStart(4)} still proved`,
      );
  }
  console.log(
    `mutate: ${rejected} of ${made} mutations rejected; the others leave code that is still proved to be safe`,
  );
  if (rejected < 200) fail([`only ${rejected} mutations rejected`]);
}
if (wants('flips')) {
  const { rejected, accepted, calls, escapes } = runFlips(argv.seed, argv.seconds * 1000);
  console.log(
    `flips (seed ${argv.seed}): ${rejected} variants rejected, ${accepted} accepted and run with ${calls} calls, ${escapes.length} escapes`,
  );
  fail(escapes);
}
if (wants('hostile')) {
  for (const level of levels) {
    for (const cfi of modes) {
      const counts = newCounts();
      runAllHostile({ level, cfi }, counts);
      for (let part = 0; part < BOUNDARY_PARTS && cfi === 'forward'; part++)
        runBoundaries(part, BOUNDARY_PARTS, { level, cfi }, counts, level === '2' ? 1 : 5);
      console.log(
        `hostile -O${level} --cfi ${cfi}: ${counts.calls} calls, ${counts.traps} trapped, RAM compared ${counts.comparisons} times, ${counts.failures.length} failures`,
      );
      fail(counts.failures);
    }
  }
}
if (wants('cfi')) {
  const counts = runFaults();
  for (const { kind, injected, caught } of counts.kinds)
    console.log(`  ${kind.padEnd(34)} ${caught} of ${injected} caught`);
  const { injected, caught } = totalOf(counts);
  console.log(`cfi full: ${injected} faults injected, ${caught} caught`);
  fail(counts.missed);
  for (const { program, none, forward, full } of costs())
    console.log(
      `  ${program.padEnd(14)} none ${none} instructions, forward +${percent(forward, none)}, full +${percent(full, none)}`,
    );
}
process.exitCode = failed > 0 ? 1 : 0;

function percent(value: number, base: number): string {
  return `${(((value - base) / base) * 100).toFixed(1)} %`;
}

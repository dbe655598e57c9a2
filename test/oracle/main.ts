// `npm run oracle`: the semantics of the instruction table and of compiled modules in Debian's QEMU against the simulator,
// or one program in lockstep. Prints counts and `passed N, failed N, skipped N`; exit code 1 if anything differs.

import { readFileSync } from 'node:fs';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import type { OptLevel } from '../../compiler/passes/pipeline.js';
import { readElf } from '../../simulator/load/elf.js';
import { generateModule } from '../fuzz/generate.js';
import { corpusSubjects } from './qemu/corpus.js';
import { qemuAvailable } from './qemu/bare.js';
import { exportOf, programOfElf } from './qemu/elf-program.js';
import { lockstep } from './qemu/lockstep.js';
import type { ProgramReport } from './qemu/programs.js';
import { compareSubjects, subjectOf } from './qemu/programs.js';
import { proveRows } from './qemu/rows.js';

/** Modules linked into one image. */
const MODULES_PER_IMAGE = 20;
const SHOWN = 20;
const LEVELS: readonly OptLevel[] = ['0', '1', '2', 's'];

interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

function reportRows(sets: number, seed: number, only: readonly string[], tally: Tally): void {
  const report = proveRows(sets, seed, only);
  const { proved, bySequence, failed, without, differences } = report;
  console.log(
    `instruction rows  ${proved.length} proved, ${bySequence.length} as part of sequences, ${failed.length} differ`,
  );
  console.log(`operand sets      ${report.operandSets}, ${differences.length} differ`);
  for (const { row, text, before, differences: found } of differences.slice(0, SHOWN)) {
    console.log(
      `  ${row}: qemu / simulator: ${found.join(', ')}\n    ${text.trim().replaceAll('\n', '; ')}\n    ${before}`,
    );
  }
  console.log(`by sequence       ${bySequence.join(' ')}`);
  if (only.length === 0) for (const [name, reason] of without) console.log(`no oracle         ${name}: ${reason}`);
  tally.passed += proved.length + bySequence.length;
  tally.failed += failed.length;
  tally.skipped += only.length === 0 ? without.size : 0;
}

function count(what: string, level: OptLevel, report: ProgramReport, tally: Tally): void {
  const { modules, calls, trapped, memoryBytes, codeBytes, differences } = report;
  const numbers = `${calls} calls, ${trapped} trapped, ${memoryBytes} bytes of memory, ${codeBytes} bytes of code`;
  console.log(`${what} -O${level}  ${modules} modules, ${numbers}, ${differences.length} differences`);
  for (const line of differences.slice(0, SHOWN)) console.log(`  ${line}`);
  if (differences.length > 0) tally.failed++;
  tally.passed += differences.length > 0 ? modules - 1 : modules;
}

function reportPrograms(total: number, seed: number, tally: Tally): void {
  for (let first = 0; first < total; first += MODULES_PER_IMAGE) {
    const level = LEVELS[(first / MODULES_PER_IMAGE) % LEVELS.length] as OptLevel;
    const size = Math.min(MODULES_PER_IMAGE, total - first);
    const subjects = Array.from({ length: size }, (_, i) => subjectOf(generateModule(seed + first + i)));
    count('generated', level, compareSubjects(subjects, level), tally);
  }
}

async function reportLockstep(file: string, options: Options): Promise<void> {
  const calls = options.invoke === undefined ? [] : [{ symbol: exportOf(options.invoke), args: options._.map(Number) }];
  const bytes = new Uint8Array(readFileSync(file));
  const program = programOfElf(bytes, calls);
  const report = await lockstep(program, {
    maxInstructions: options.max,
    ...(options.from === undefined ? {} : { from: addressOf(options.from, bytes) }),
    onProgress: (instructions) => console.log(`  ${instructions} instructions`),
  });
  console.log(`${report.ending} after ${report.instructions} instructions`);
  if (report.ending === 'ended' || report.ending === 'limit') return;
  process.exitCode = 1;
  for (const line of report.trail) console.log(`  ${line}`);
  console.log(`qemu / simulator: ${report.differences.join(', ')}`);
  console.log(report.state);
}

/** A symbol of the file, or a number. */
function addressOf(text: string, elf: Uint8Array): number {
  const address = readElf(elf).symbols.get(text) ?? Number(text);
  if (!Number.isInteger(address)) throw new Error(`no symbol ${text}`);
  return address;
}

interface Options {
  readonly sets: number;
  readonly seed: number;
  readonly rows: string | undefined;
  readonly programs: number;
  readonly corpus: boolean;
  readonly lockstep: string | undefined;
  readonly invoke: string | undefined;
  readonly from: string | undefined;
  readonly max: number;
  readonly _: readonly (string | number)[];
}

const options: Options = yargs(hideBin(process.argv))
  .usage('npm run oracle -- [--sets N] [--programs N] | --lockstep FILE.elf [--invoke MODULE.EXPORT] [WORDS...]')
  .option('sets', { type: 'number', default: 200, describe: 'operand sets of each instruction' })
  .option('seed', { type: 'number', default: 1, describe: 'of all random choices' })
  .option('rows', { type: 'string', describe: 'only these mnemonics, separated by commas' })
  .option('programs', { type: 'number', default: 160, describe: 'generated modules' })
  .option('corpus', { type: 'boolean', default: true, describe: 'also modules of npm packages' })
  .option('lockstep', { type: 'string', describe: 'run this linked ELF file instruction by instruction' })
  .option('invoke', { type: 'string', describe: 'with --lockstep: an export to call, then argument words' })
  .option('from', { type: 'string', describe: 'with --lockstep: symbol or address where stepping begins' })
  .option('max', { type: 'number', default: 1_000_000, describe: 'with --lockstep: instructions at most' })
  .strictOptions()
  .parseSync();

if (!qemuAvailable()) {
  console.error('qemu-system-xtensa is not installed (Debian: apt install qemu-system-misc): nothing to compare with');
  console.log('passed 0, failed 0, skipped 1');
} else if (options.lockstep !== undefined) {
  await reportLockstep(options.lockstep, options);
} else {
  const tally: Tally = { passed: 0, failed: 0, skipped: 0 };
  reportRows(options.sets, options.seed, options.rows === undefined ? [] : options.rows.split(','), tally);
  if (options.rows === undefined) {
    reportPrograms(options.programs, options.seed, tally);
    if (options.corpus) {
      for (const level of ['0', '2'] as const) {
        for (const { name, subjects } of corpusSubjects()) count(name, level, compareSubjects(subjects, level), tally);
      }
    }
  }
  console.log(`passed ${tally.passed}, failed ${tally.failed}, skipped ${tally.skipped}`);
  if (tally.failed > 0) process.exitCode = 1;
}

// The command `npm run bench`: arguments in, tables, JSON, chart or verdict out. Knows no measuring.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { CompileOptions } from '../backend-xtensa/compile-module.js';
import { buildRuntime } from '../firmware/build.js';
import { OPTION_VARIANTS, compareVariants, formatVariants, optimisations, passVariants } from './ablation.js';
import { runImc } from './imc.js';
import { FULL, runFleet } from './fleet.js';
import type { FleetSizes } from './fleet/scenario.js';
import { runRemote } from './remote.js';
import type { BenchResult } from './measure-all.js';
import { measureAll } from './measure-all.js';
import { PROGRAMS } from './programs.js';
import type { BenchProgram } from './programs.js';
import type { Baseline } from './report/baseline.js';
import { PRODUCT, compareBaseline, makeBaseline } from './report/baseline.js';
import { chart } from './report/chart.js';
import { formatResults, updateDocument } from './report/document.js';
import { METRICS, formatSummary, formatTable } from './report/table.js';
import type { Column } from './rivals/column.js';
import { nativeColumn } from './rivals/native-column.js';
import { productColumn } from './rivals/product-column.js';
import { compileSpeedTable } from './scale.js';
import { BENCH_FOLDER, MissingTool, ROOT } from './rivals/tools.js';
import { wasm2cColumn } from './rivals/wasm2c-column.js';

const USAGE = `npm run bench -- [options]
  --only NAME[,NAME]    these programs only
  --columns ID[,ID]     these columns only: ${PRODUCT}, llvm, gcc, wasm2c-llvm, wasm2c-gcc
  -O, --level LEVEL     optimisation level of wasm-aot: 0, 1, 2 (default) or s
  --cfi MODE            none, forward (default) or full
  --without PASS[,PASS] another column: wasm-aot without these passes
  --ablate              what each pass buys (left out one at a time), what levels and checks cost
  --scale [FILE...]     compile speed on real modules of growing size
  --imc                 the device OS instead: calls, grants, preemption, footprint; with --json, --check, --update
                        (bench/imc-baseline.json) or --document (docs/os.md)
  --remote              requests over the serial line: instructions of the device, bytes on the wire; with --json
  --fleet               10,000 simulated devices on 20 edges over NATS (needs nats-server); with --json, or smaller with
                        --devices N, --edges N, --seconds N; with --signed: edges that are enrolled; --document (docs/fleet.md)
  --document            run all of that and write the tables of docs/performance.md and the chart
  --json                all measurements as JSON
  --chart               also write docs/benchmark.svg
  --check               compare wasm-aot with bench/baseline.json; more than 2 % slower fails
  --update              write bench/baseline.json
`;

const BASELINE = join(BENCH_FOLDER, 'baseline.json');
const DOCUMENT = join(ROOT, 'docs', 'performance.md');
const CHART = join(ROOT, 'docs', 'benchmark.svg');

interface Arguments {
  readonly programs: readonly BenchProgram[];
  readonly columns: readonly Column[];
  readonly ablate: boolean;
  readonly scale: boolean;
  readonly imc: boolean;
  readonly remote: boolean;
  /** Null: not wanted. */
  readonly fleet: FleetSizes | null;
  /** Modules for `scale`. */
  readonly files: readonly string[];
  readonly document: boolean;
  readonly json: boolean;
  readonly chart: boolean;
  readonly check: boolean;
  readonly update: boolean;
}

class UsageError extends Error {}

function parse(argv: readonly string[]): Arguments | undefined {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    args: [...argv],
    options: {
      only: { type: 'string' },
      columns: { type: 'string' },
      level: { type: 'string', short: 'O', default: '2' },
      cfi: { type: 'string', default: 'forward' },
      without: { type: 'string' },
      ablate: { type: 'boolean', default: false },
      scale: { type: 'boolean', default: false },
      imc: { type: 'boolean', default: false },
      remote: { type: 'boolean', default: false },
      fleet: { type: 'boolean', default: false },
      devices: { type: 'string', default: String(FULL.devices) },
      edges: { type: 'string', default: String(FULL.edges) },
      seconds: { type: 'string', default: String(FULL.seconds) },
      signed: { type: 'boolean', default: false },
      document: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      chart: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      update: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  if (!['0', '1', '2', 's'].includes(values.level)) throw new UsageError(`no level ${values.level}`);
  if (!['none', 'forward', 'full'].includes(values.cfi)) throw new UsageError(`no cfi mode ${values.cfi}`);
  if (positionals.length > 0 && !values.scale) throw new UsageError(`what is ${positionals.join(' ')}?`);
  const passes = new Set([...optimisations().values()].flat());
  for (const name of values.without?.split(',') ?? []) {
    if (!passes.has(name)) throw new UsageError(`no optimisation ${name}; there are ${[...passes].join(', ')}`);
  }
  const [devices, edges, seconds] = [values.devices, values.edges, values.seconds].map(Number) as [
    number,
    number,
    number,
  ];
  const sensible =
    Number.isInteger(devices) && Number.isInteger(edges) && edges >= 3 && devices >= edges && seconds > 0;
  if (values.fleet && !sensible) throw new UsageError('a fleet has 3 edges or more, and a device for each');
  const compile = { level: values.level, cfi: values.cfi } as CompileOptions;
  const all = columnsFor(compile, values.without?.split(','));
  const verdictOnly = (values.check || values.update) && !values.document && !values.chart;
  const wanted = values.columns?.split(',') ?? (verdictOnly ? [PRODUCT] : all.map(({ id }) => id));
  return {
    programs: select(PROGRAMS, ({ name }) => name, values.only?.split(','), 'program'),
    columns: select(all, ({ id }) => id, wanted, 'column'),
    ablate: values.ablate,
    scale: values.scale,
    imc: values.imc,
    remote: values.remote,
    fleet: values.fleet
      ? { ...FULL, devices, edges, seconds, signed: values.signed, processes: Math.min(FULL.processes, edges - 1) }
      : null,
    files: positionals,
    document: values.document,
    json: values.json,
    chart: values.chart || values.document,
    check: values.check,
    update: values.update,
  };
}

function columnsFor(compile: CompileOptions, without: readonly string[] | undefined): Column[] {
  const plain = productColumn(PRODUCT, 'wasm-aot', compile);
  const ablated =
    without === undefined
      ? []
      : [productColumn('without', `without ${without.join(',')}`, { ...compile, without: new Set(without) })];
  const natives = [nativeColumn('llvm'), nativeColumn('gcc')];
  return [plain, ...ablated, ...natives, wasm2cColumn('llvm'), wasm2cColumn('gcc')];
}

function select<T>(all: readonly T[], nameOf: (item: T) => string, names: readonly string[] | undefined, what: string) {
  for (const name of names ?? []) {
    if (!all.some((item) => nameOf(item) === name)) {
      throw new UsageError(`no ${what} ${name}; there are ${all.map(nameOf).join(', ')}`);
    }
  }
  return names === undefined ? all : all.filter((item) => names.includes(nameOf(item)));
}

function variants(programs: readonly BenchProgram[]) {
  const passes = compareVariants(programs, passVariants(), progress);
  const options = compareVariants(programs, OPTION_VARIANTS, progress);
  return { passes, options, failures: [...passes, ...options].flatMap((variant) => variant.failures) };
}

function readBaseline(): Baseline {
  return existsSync(BASELINE) ? (JSON.parse(readFileSync(BASELINE, 'utf8')) as Baseline) : {};
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

/** @returns the exit code */
function verdict(result: BenchResult): number {
  const { changes, regressions, skipped, compared } = compareBaseline(result, readBaseline());
  for (const line of changes) console.log(line);
  if (skipped.length > 0) {
    console.log(`not compared, as clang made other modules than the baseline's: ${skipped.join(', ')}`);
  }
  for (const line of regressions) console.log(`REGRESSION ${line}`);
  console.log(`${compared} programs compared, ${regressions.length} regressions`);
  return regressions.length > 0 ? 1 : 0;
}

async function main(): Promise<number> {
  const wanted = parse(process.argv.slice(2));
  if (wanted === undefined) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (wanted.fleet !== null) return runFleet(wanted, wanted.fleet, progress);
  await buildRuntime();
  if (wanted.imc) return runImc(wanted);
  if (wanted.remote) return runRemote(wanted);
  if (wanted.scale) {
    const table = compileSpeedTable(wanted.files, progress);
    progress('');
    console.log(table);
    return 0;
  }
  if (wanted.ablate) {
    const { passes, options, failures } = variants(wanted.programs);
    progress('');
    if (wanted.json) console.log(JSON.stringify({ passes, options }, null, 2));
    else console.log(`${formatVariants('without', passes)}\n\n${formatVariants('option', options)}`);
    for (const failure of failures) console.error(failure);
    return failures.length > 0 ? 1 : 0;
  }
  const result = measureAll(wanted.programs, wanted.columns, progress);
  progress('');

  if (wanted.json) console.log(JSON.stringify(result, null, 2));
  else if (!wanted.check && !wanted.update) {
    for (const metric of METRICS) console.log(formatTable(metric, result, wanted.columns));
    console.log(formatSummary(result, PRODUCT));
  }
  for (const [id, message] of Object.entries(result.missing)) console.error(`column ${id}: ${message}`);
  for (const failure of result.failures) console.error(failure);
  if (wanted.chart && Object.keys(result.missing).length > 0) {
    console.error('no chart and no document without all the rivals');
    return 1;
  }
  if (wanted.chart) {
    writeFileSync(CHART, chart(result, METRICS[0] as (typeof METRICS)[number]));
    console.error(`wrote ${CHART}`);
  }
  if (wanted.document) {
    const { passes, options, failures } = variants(wanted.programs);
    if (failures.length > 0) throw new Error(failures.join('\n'));
    const sections = {
      results: formatResults(result),
      scale: compileSpeedTable([], progress),
      passes: formatVariants('without', passes),
      options: formatVariants('option', options),
    };
    writeFileSync(DOCUMENT, updateDocument(readFileSync(DOCUMENT, 'utf8'), sections));
    console.error(`wrote ${DOCUMENT}`);
  }
  if (wanted.update) {
    writeFileSync(BASELINE, `${JSON.stringify(makeBaseline(result, readBaseline()), null, 2)}\n`);
    console.error(`wrote ${BASELINE}`);
  }
  const productFailed = result.failures.some((failure) => failure.includes(', wasm-aot'));
  return (wanted.check ? verdict(result) : 0) || (productFailed ? 1 : 0);
}

try {
  process.exitCode = await main();
} catch (error) {
  if (error instanceof MissingTool) {
    // Without clang there are no modules: nothing to compare, which is not a regression.
    console.error(`bench skipped: ${error.message}`);
  } else if (error instanceof UsageError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS') === true) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    process.exitCode = 2;
  } else throw error;
}

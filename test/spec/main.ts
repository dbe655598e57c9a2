// `npm run spec`: takes directories of .wast files; runs every assertion and prints verdicts by file, skips with reasons,
// and `passed N, failed N, skipped N`. Exit code 1 if anything failed. Knows how to share work among processes, not how
// a script is judged.
import { fork } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import type { Executor } from './executor.js';
import { ScriptRunner, type Verdict } from './runner.js';

const EXECUTORS = ['device', 'interp'] as const;
type ExecutorName = (typeof EXECUTORS)[number];

interface Task {
  readonly file: string;
  readonly executor: ExecutorName;
  readonly level: string;
}
interface Report extends Task {
  readonly verdicts: readonly Verdict[];
}

async function executorFor(task: Task): Promise<Executor> {
  if (task.executor === 'interp') return new (await import('./executors/interp.js')).InterpExecutor();
  return new (await import('./executors/device.js')).DeviceExecutor({
    level: task.level as '0' | '1' | '2' | 's',
    verify: true,
    tableReserve: 1024,
  });
}

async function runTask(task: Task): Promise<Report> {
  const runner = new ScriptRunner(await executorFor(task));
  return { ...task, verdicts: runner.run(readFileSync(task.file, 'utf8')) };
}

/** All .wast files below a directory, sorted. */
function scriptsBelow(path: string): string[] {
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { withFileTypes: true })
    .flatMap((e) =>
      e.isDirectory() ? scriptsBelow(join(path, e.name)) : e.name.endsWith('.wast') ? [join(path, e.name)] : [],
    )
    .sort();
}

/** The suite that comes with the project's data, or `WASM_TESTSUITE`. */
function defaultSuite(): string {
  const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
  return process.env['WASM_TESTSUITE'] ?? join(dirname(root), 'shared', 'spec-testsuite');
}

/** Runs tasks in child processes; a child that dies fails its task and is replaced. */
function runAll(tasks: readonly Task[], jobs: number, onReport: (report: Report) => void): Promise<void> {
  return new Promise((done) => {
    let next = 0;
    let running = 0;
    const startWorker = (): void => {
      const child = fork(fileURLToPath(import.meta.url), ['--worker'], {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      let current: Task | undefined;
      running++;
      const feed = (): void => {
        current = tasks[next++];
        if (current === undefined) child.disconnect();
        else child.send(current);
      };
      child.on('message', (message) => {
        onReport(message as Report);
        feed();
      });
      child.on('exit', (code, signal) => {
        running--;
        if (current !== undefined) {
          const reason = `the test process died (${signal ?? `exit code ${code}`})`;
          onReport({ ...current, verdicts: [{ line: 0, command: 'file', result: 'failed', reason }] });
          startWorker();
        } else if (running === 0) done();
      });
      feed();
    };
    for (let i = 0; i < Math.min(jobs, tasks.length); i++) startWorker();
    if (tasks.length === 0) done();
  });
}

function tally(verdicts: readonly Verdict[]): Record<Verdict['result'], number> {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const v of verdicts) counts[v.result]++;
  return counts;
}

async function main(): Promise<void> {
  const argv = await yargs(hideBin(process.argv))
    .usage(
      'npm run spec -- [options]\n\nRuns WebAssembly spec scripts through compiled code in the simulator and the IR interpreter.',
    )
    .option('suite', { type: 'string', array: true, describe: 'directory of .wast files (searched below), or a file' })
    .option('executor', {
      choices: [...EXECUTORS, 'both'] as const,
      default: 'both' as const,
      describe: 'what runs the code',
    })
    .option('level', {
      type: 'string',
      choices: ['0', '1', '2', 's'],
      default: '2',
      describe: 'optimisation level of the compiled code',
    })
    .option('filter', { type: 'string', describe: 'only files whose path contains this' })
    .option('jobs', { type: 'number', default: availableParallelism(), describe: 'processes' })
    .option('json', { type: 'boolean', default: false, describe: 'one JSON object instead of text' })
    .option('failures', { type: 'number', default: 5, describe: 'failures to show for each file' })
    .strict()
    .help()
    .parse();
  const suites = (argv.suite ?? [defaultSuite()]).map((s) => resolve(s));
  for (const suite of suites) {
    if (!existsSync(suite)) {
      console.error(`no suite at ${suite}: give --suite DIR or set WASM_TESTSUITE`);
      process.exit(2);
    }
  }
  const files = suites
    .flatMap((s) =>
      scriptsBelow(s).map((file) => ({ file, name: relative(statSync(s).isFile() ? dirname(s) : s, file) })),
    )
    .filter(({ file }) => argv.filter === undefined || file.includes(argv.filter));
  const nameOf = new Map(files.map(({ file, name }) => [file, name]));
  const executors = argv.executor === 'both' ? EXECUTORS : [argv.executor];
  const tasks = executors.flatMap((executor) => files.map(({ file }): Task => ({ file, executor, level: argv.level })));
  const reports: Report[] = [];
  await runAll(tasks, argv.jobs, (report) => {
    reports.push(report);
    const counts = tally(report.verdicts);
    if (argv.json || counts.failed === 0) return;
    console.log(`${report.executor} ${nameOf.get(report.file)}: ${counts.failed} failed, ${counts.passed} passed`);
    for (const v of report.verdicts.filter((r) => r.result === 'failed').slice(0, argv.failures)) {
      console.log(`  line ${v.line}: ${v.command}: ${v.reason}`);
    }
  });
  const order = new Map(tasks.map((t, i) => [`${t.executor} ${t.file}`, i]));
  reports.sort((a, b) => order.get(`${a.executor} ${a.file}`)! - order.get(`${b.executor} ${b.file}`)!);
  const total = tally(reports.flatMap((r) => r.verdicts));
  if (argv.json) {
    const rows = reports.map((r) => ({
      file: nameOf.get(r.file),
      executor: r.executor,
      ...tally(r.verdicts),
      failures: r.verdicts.filter((v) => v.result === 'failed'),
      skips: r.verdicts.filter((v) => v.result === 'skipped'),
    }));
    console.log(JSON.stringify({ ...total, files: rows }));
  } else {
    printSummary(reports);
    console.log(`passed ${total.passed}, failed ${total.failed}, skipped ${total.skipped}`);
  }
  process.exit(total.failed === 0 ? 0 : 1);
}

function printSummary(reports: readonly Report[]): void {
  for (const executor of EXECUTORS) {
    const verdicts = reports.filter((r) => r.executor === executor).flatMap((r) => r.verdicts);
    if (verdicts.length === 0) continue;
    const counts = tally(verdicts);
    console.log(`\n${executor}: passed ${counts.passed}, failed ${counts.failed}, skipped ${counts.skipped}`);
    const reasons = new Map<string, number>();
    for (const v of verdicts) {
      if (v.result === 'skipped') reasons.set(v.reason ?? '', (reasons.get(v.reason ?? '') ?? 0) + 1);
    }
    for (const [reason, n] of [...reasons].sort((a, b) => b[1] - a[1])) console.log(`  skipped ${n}: ${reason}`);
  }
  console.log();
}

if (process.argv.includes('--worker')) {
  process.on('message', (task: Task) => {
    runTask(task).then(
      (report) => process.send!(report),
      (error: Error) => {
        const reason = `${error.name}: ${error.message}`;
        process.send!({ ...task, verdicts: [{ line: 0, command: 'file', result: 'failed', reason }] });
      },
    );
  });
} else {
  await main();
}

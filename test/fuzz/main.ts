// `npm run fuzz`: generates modules, runs them on Node's WebAssembly, the IR interpreter and compiled code at -O0 and -O2,
// and compares results, traps, globals and memories. A difference is reduced and kept under test/regressions/. Ends with
// counts and `passed N, failed N, skipped N`; exit code 1 if anything differed.
import { fork } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { callsFor, compareEngines } from './compare.js';
import { DeviceEngine } from './device-engine.js';
import type { FuzzEngine } from './engine.js';
import { DEFAULT_OPTIONS, generateModule, type GenerateOptions, type GeneratedModule } from './generate.js';
import { InterpEngine } from './interp-engine.js';
import { mutateModule } from './mutate.js';
import { NodeEngine } from './node-engine.js';
import { fuzzParsers } from './parsers.js';
import { reduceModule } from './reduce.js';

const REGRESSIONS = join(dirname(dirname(fileURLToPath(import.meta.url))), 'regressions');
const NODE_MODULES = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'node_modules');
/** Real modules that mutants are made of. */
const MUTATED = [
  'xxhash-wasm/workerd/xxhash.wasm',
  '@chainsafe/as-sha256/build/optimized.wasm',
  '@chainsafe/as-chacha20poly1305/build/optimized.wasm',
  '@foxglove/wasm-lz4/dist/wasm-lz4.wasm',
];
/** Many small functions (27 operators on average): where most of the counted functions come from. */
const SMALL: GenerateOptions = { maxFunctions: 300, maxDepth: 2, maxStatements: 1, multiMemory: false };
/** Modules between two reports of a worker. */
const BATCH = 10;
/** Of so many seeds one mutates a real module, one feeds damaged bytes to the parsers, half make small functions. */
const CYCLE = 8;

interface WorkerStart {
  readonly firstSeed: number;
  readonly stride: number;
  readonly until: number;
}
interface Progress {
  readonly modules: number;
  readonly functions: number;
  readonly executions: number;
  readonly parserInputs: number;
  readonly differences: readonly string[];
}

const mutated = new Map<string, Uint8Array>();

/** The module of a seed; undefined when a mutant did not come out valid. */
function moduleFor(seed: number): GeneratedModule | undefined {
  if (seed % CYCLE !== 0) return generateModule(seed, seed % 2 === 0 ? DEFAULT_OPTIONS : SMALL);
  const file = MUTATED[(seed / CYCLE) % MUTATED.length]!;
  let bytes = mutated.get(file);
  if (bytes === undefined) {
    bytes = new Uint8Array(readFileSync(join(NODE_MODULES, file)));
    mutated.set(file, bytes);
  }
  return mutateModule(bytes, seed);
}

/** Reduces a difference and writes the module with what is needed to see it again. */
function keep(module: GeneratedModule, engines: readonly FuzzEngine[], engine: string, text: string): string {
  const suspects = [engines[0]!, engines.find((e) => e.name === engine)!];
  const kind = text.startsWith('crash') ? 'crash' : 'difference';
  const reduced = reduceModule(module.bytes, (bytes) => {
    const found = compareEngines({ ...module, bytes }, callsFor(module), suspects);
    return found !== undefined && found.text.startsWith('crash') === (kind === 'crash');
  });
  mkdirSync(REGRESSIONS, { recursive: true });
  const name = `fuzz-${module.seed}`;
  writeFileSync(join(REGRESSIONS, `${name}.wasm`), reduced);
  const { functions, globals, memories, seed } = module;
  const first = text.split('\n')[0];
  writeFileSync(
    join(REGRESSIONS, `${name}.json`),
    `${JSON.stringify({ seed, engine, found: first, functions, globals, memories }, null, 2)}\n`,
  );
  return `seed ${module.seed}: ${engine}: ${first} (kept as test/regressions/${name}.wasm, ${reduced.length} bytes)`;
}

function work(start: WorkerStart): void {
  const engines = [
    new NodeEngine(),
    new InterpEngine(),
    new DeviceEngine({ level: '0' }),
    new DeviceEngine({ level: '2' }),
  ];
  let seed = start.firstSeed;
  const step = (): void => {
    const progress = { modules: 0, functions: 0, executions: 0, parserInputs: 0, differences: [] as string[] };
    for (let i = 0; i < BATCH && Date.now() < start.until; i++, seed += start.stride) {
      if (seed % CYCLE === 1) {
        progress.parserInputs++;
        const complaint = fuzzParsers(seed);
        if (complaint !== undefined) progress.differences.push(`seed ${seed}: parser: ${complaint}`);
        continue;
      }
      const module = moduleFor(seed);
      if (module === undefined) continue;
      const calls = callsFor(module);
      const found = compareEngines(module, calls, engines);
      progress.modules++;
      progress.functions += module.functions.length;
      progress.executions += calls.length * engines.length;
      if (found !== undefined) progress.differences.push(keep(module, engines, found.engine, found.text));
    }
    process.send!(progress satisfies Progress);
    if (Date.now() < start.until) setImmediate(step);
    else process.disconnect();
  };
  step();
}

async function main(): Promise<void> {
  const argv = await yargs(hideBin(process.argv))
    .usage('npm run fuzz -- [options]\n\nDifferential fuzzing of the compiler against Node and the IR interpreter.')
    .option('seconds', { type: 'number', default: 60, describe: 'how long' })
    .option('seed', { type: 'number', describe: 'first seed; default: the time' })
    .option('jobs', { type: 'number', default: availableParallelism(), describe: 'processes' })
    .strict()
    .parse();
  const seed = argv.seed ?? Date.now() >>> 0;
  const started = Date.now();
  const until = started + argv.seconds * 1000;
  const total = { modules: 0, functions: 0, executions: 0, parserInputs: 0 };
  const differences: string[] = [];
  let crashed = 0;
  await Promise.all(
    Array.from(
      { length: argv.jobs },
      (_, i) =>
        new Promise<void>((done) => {
          const child = fork(fileURLToPath(import.meta.url), ['--worker'], {
            stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
          });
          child.send({ firstSeed: seed + i, stride: argv.jobs, until } satisfies WorkerStart);
          child.on('message', (message) => {
            const progress = message as Progress;
            total.modules += progress.modules;
            total.functions += progress.functions;
            total.executions += progress.executions;
            total.parserInputs += progress.parserInputs;
            for (const d of progress.differences) {
              differences.push(d);
              console.log(d);
            }
          });
          child.on('exit', (code) => {
            if (code !== 0) crashed++;
            done();
          });
        }),
    ),
  );
  const seconds = (Date.now() - started) / 1000;
  const rate = Math.round(total.executions / seconds);
  console.log(
    `seed ${seed}: ${total.modules} modules, ${total.functions} functions, ` +
      `${total.parserInputs} damaged inputs, ${rate} executions per second`,
  );
  if (crashed > 0) console.log(`${crashed} fuzzing processes died`);
  console.log(`passed ${total.modules - differences.length}, failed ${differences.length + crashed}, skipped 0`);
  process.exit(differences.length + crashed === 0 && total.modules > 0 ? 0 : 1);
}

if (process.argv.includes('--worker')) process.once('message', (start) => work(start as WorkerStart));
else await main();

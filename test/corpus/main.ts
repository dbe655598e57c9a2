// `npm run corpus`: drives every module of the corpus on Node's engine and as compiled code in the simulated ESP32, and
// compares the transcripts line by line. Ends with `passed N, failed N, skipped N`; exit code 1 if any differ.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { deviceSession, type Cost } from './device-session.js';
import { nodeSession } from './node-session.js';
import { CORPUS } from './programs.js';
import { record, type CorpusProgram } from './session.js';

const MODULES = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'node_modules');

interface Result {
  readonly name: string;
  readonly file: string;
  readonly wasmBytes: number;
  readonly calls: number;
  readonly cost?: Cost;
  /** First difference, or what broke. */
  readonly failure?: string;
}

function runProgram(program: CorpusProgram, level: '0' | '1' | '2' | 's'): Result {
  const bytes = readFileSync(join(MODULES, program.file));
  const base = { name: program.name, file: program.file, wasmBytes: bytes.length };
  const expected: string[] = [];
  const node = nodeSession(program, bytes);
  program.run(record(node.session, expected), (name) => record(node.support(name), expected));
  const actual: string[] = [];
  let failure: string | undefined;
  let cost: Cost | undefined;
  try {
    const device = deviceSession(program, bytes, { level, verify: true });
    cost = device.cost;
    program.run(record(device.session, actual), (name) => record(device.support(name), actual));
  } catch (error) {
    failure = (error as Error).message;
  }
  const at = expected.findIndex((line, i) => actual[i] !== line);
  if (at >= 0 && actual[at] !== undefined) failure = `call ${at}: ${actual[at]}, Node has ${expected[at]}`;
  return { ...base, calls: expected.length, ...(cost ? { cost } : {}), ...(failure !== undefined ? { failure } : {}) };
}

const argv = await yargs(hideBin(process.argv))
  .usage('npm run corpus -- [options]\n\nRuns modules shipped in npm packages and compares with Node.')
  .option('only', { type: 'string', describe: 'only programs whose name contains this' })
  .option('level', {
    type: 'string',
    choices: ['0', '1', '2', 's'] as const,
    default: '2' as const,
    describe: 'optimisation level',
  })
  .option('json', { type: 'boolean', default: false })
  .strict()
  .parse();
const results = CORPUS.filter((p) => argv.only === undefined || p.name.includes(argv.only)).map((p) =>
  runProgram(p, argv.level),
);
const failed = results.filter((r) => r.failure !== undefined).length;
if (argv.json) console.log(JSON.stringify(results));
else {
  console.log('program              .wasm bytes   native code   instructions   transcript');
  for (const r of results) {
    const cost = r.cost ?? { instructions: 0, codeBytes: 0 };
    const columns = [r.wasmBytes, cost.codeBytes, cost.instructions].map((n) => String(n).padStart(13));
    console.log(`${r.name.padEnd(18)}${columns.join(' ')}   ${r.failure ?? `${r.calls} lines equal`}`);
  }
}
console.log(`passed ${results.length - failed}, failed ${failed}, skipped 0`);
process.exit(failed === 0 ? 0 : 1);

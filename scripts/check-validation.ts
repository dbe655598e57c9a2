// Development tool: runs every module, assert_malformed and assert_invalid of wast2json output through decode and
// validation, and prints where our verdict differs. Usage: npx tsx scripts/check-validation.ts DIR-WITH-JSON [-v]
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DiagnosticError, formatDiagnostic } from '../compiler/diagnostics.js';
import { parseModule } from '../compiler/driver.js';

interface Command {
  readonly type: string;
  readonly line: number;
  readonly filename?: string;
  readonly module_type?: string;
  readonly text?: string;
}

function jsonFiles(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.json'))
    .map((name) => join(dir, name))
    .sort();
}

const MUST_REJECT = new Set(['assert_malformed', 'assert_invalid']);
const MUST_ACCEPT = new Set(['module', 'assert_unlinkable', 'assert_uninstantiable', 'assert_trap']);

function verdict(bytes: Uint8Array): DiagnosticError | null {
  try {
    parseModule(bytes);
    return null;
  } catch (error) {
    if (error instanceof DiagnosticError) return error;
    throw error;
  }
}

const args = process.argv.slice(2);
const verbose = args.includes('-v');
const root = args.find((arg) => !arg.startsWith('-'));
if (root === undefined) {
  console.error('usage: check-validation DIR [-v]');
  process.exit(2);
}
let agreed = 0;
let differs = 0;
let unsupported = 0;
for (const file of jsonFiles(root)) {
  const { commands } = JSON.parse(readFileSync(file, 'utf8')) as { commands: Command[] };
  for (const command of commands) {
    if (command.filename === undefined || command.module_type === 'text') continue;
    const reject = MUST_REJECT.has(command.type);
    if (!reject && !MUST_ACCEPT.has(command.type)) continue;
    const error = verdict(readFileSync(join(dirname(file), command.filename)));
    if (error !== null && error.code === 'W301' && !reject) {
      unsupported++;
      if (verbose) console.log(`unsupported ${file}:${command.line}: ${formatDiagnostic(error)}`);
      continue;
    }
    if ((error !== null) !== reject) {
      differs++;
      const said = error === null ? 'accepted' : formatDiagnostic(error);
      console.log(`DIFFERS ${file}:${command.line} ${command.type} "${command.text ?? ''}": ${said}`);
      continue;
    }
    agreed++;
    if (error === null) continue;
    const cls = command.type === 'assert_malformed' ? 'W1' : 'W2';
    const sameText = error.message.includes(command.text ?? '');
    if (verbose && (!error.code.startsWith(cls) || !sameText)) {
      console.log(
        `wording ${file}:${command.line} ${command.type} "${command.text ?? ''}": ${formatDiagnostic(error)}`,
      );
    }
  }
}
console.log(`agreed ${agreed}, differs ${differs}, unsupported modules ${unsupported}`);
process.exitCode = differs === 0 ? 0 : 1;

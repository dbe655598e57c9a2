// Development tool: runs every module, assert_malformed and assert_invalid of .wast scripts through decode and validation
// alone (npm run spec goes on to run them) and prints where our verdict differs. Needs wast2json (Debian: wabt).
// Usage: npx tsx scripts/check-validation.ts [-v] DIR-OR-WAST...
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { DiagnosticError, formatDiagnostic } from '../compiler/diagnostics.js';
import { parseModule } from '../compiler/driver.js';

interface Command {
  readonly type: string;
  readonly line: number;
  readonly filename?: string;
  readonly module_type?: string;
  readonly text?: string;
}

const MUST_REJECT = new Set(['assert_malformed', 'assert_invalid']);
const MUST_ACCEPT = new Set(['module', 'assert_unlinkable', 'assert_uninstantiable', 'assert_trap']);
const totals = { agreed: 0, differs: 0, unsupported: 0, unconverted: 0 };

function verdict(bytes: Uint8Array): DiagnosticError | null {
  try {
    parseModule(bytes);
    return null;
  } catch (error) {
    if (error instanceof DiagnosticError) return error;
    throw error;
  }
}

function check(script: string, command: Command, dir: string, verbose: boolean): void {
  if (command.filename === undefined || command.module_type === 'text') return;
  const reject = MUST_REJECT.has(command.type);
  if (!reject && !MUST_ACCEPT.has(command.type)) return;
  const error = verdict(readFileSync(join(dir, command.filename)));
  const place = `${basename(script)}:${command.line} ${command.type} "${command.text ?? ''}"`;
  const said = error === null ? 'accepted' : formatDiagnostic(error);
  if (error?.code === 'W301' && !reject) {
    totals.unsupported++;
    if (verbose) console.log(`unsupported ${place}: ${said}`);
  } else if ((error !== null) !== reject) {
    totals.differs++;
    console.log(`DIFFERS ${place}: ${said}`);
  } else {
    totals.agreed++;
    if (verbose && error !== null) console.log(`${place}: ${said}`);
  }
}

function run(script: string, verbose: boolean): void {
  const dir = mkdtempSync(join(tmpdir(), 'wast-'));
  try {
    const json = join(dir, 'script.json');
    const { status, stderr } = spawnSync('wast2json', ['--enable-all', '-o', json, script], { encoding: 'utf8' });
    if (status !== 0) {
      totals.unconverted++;
      console.log(`not converted: ${script}: ${(stderr ?? 'wast2json is missing').split('\n')[0]}`);
      return;
    }
    const { commands } = JSON.parse(readFileSync(json, 'utf8')) as { commands: Command[] };
    for (const command of commands) check(script, command, dir, verbose);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

function scripts(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => name.endsWith('.wast'))
    .sort()
    .map((name) => join(path, name));
}

const args = process.argv.slice(2);
const verbose = args.includes('-v');
const paths = args.filter((arg) => arg !== '-v');
if (paths.length === 0) {
  console.error('usage: check-validation [-v] DIR-OR-WAST...');
  process.exit(2);
}
for (const script of paths.flatMap(scripts)) run(script, verbose);
console.log(JSON.stringify(totals));
process.exitCode = totals.differs === 0 ? 0 : 1;

// `npm test`: takes a bare clone; installs what is missing, builds, then runs every check that CI runs. Ends with a
// summary line; exits 1 if anything failed. Refuses to know what the checks do.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { bootstrap, root } from './bootstrap.mjs';
import { buildAppModules, buildExamples } from './examples.mjs';

/** [name, command, args]; in the order of how fast they find a fault. */
const CHECKS = [
  ['types', 'npm', ['run', '--silent', 'typecheck']],
  ['lint', 'npm', ['run', '--silent', 'lint']],
  ['unit tests', 'npx', ['vitest', 'run']],
  ['spec suite', 'npm', ['run', '--silent', 'spec']],
  ['corpus', 'npm', ['run', '--silent', 'corpus']],
  ['bench', 'npm', ['run', '--silent', 'bench', '--', '--check', '--columns', 'wasm-aot']],
  ['bench of the device OS', 'npm', ['run', '--silent', 'bench', '--', '--imc', '--check']],
  ['fleet', 'npx', ['tsx', 'scripts/fleet/main.ts', '--check', '--short']],
  ['fuzz', 'npm', ['run', '--silent', 'fuzz', '--', '--seconds', '30', '--seed', '1']],
];

bootstrap(['runtime', 'examples', 'tests', ...(process.env.CI ? ['ci'] : [])]);
buildExamples();
const needed = buildAppModules().skipped.filter(({ name }) => /^(weather-station|fleet)\//.test(name));
// The spec suite is data beside the clone; without it everything else is still worth checking.
const suite = process.env.WASM_TESTSUITE ?? join(dirname(root), 'shared', 'spec-testsuite');
let failed = 0;
let skipped = 0;
for (const [name, command, args] of CHECKS) {
  if (name === 'spec suite' && !existsSync(suite)) {
    console.log(`\n== ${name}: skipped, there is none at ${suite} (set WASM_TESTSUITE)`);
    skipped++;
    continue;
  }
  if (name === 'fleet' && needed.length > 0) {
    console.log(`\n== ${name}: skipped, ${needed.map((entry) => `${entry.name} needs ${entry.needs}`).join('; ')}`);
    skipped++;
    continue;
  }
  console.log(`\n== ${name}`);
  const started = Date.now();
  const { status } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  const seconds = Math.round((Date.now() - started) / 1000);
  console.log(`== ${name}: ${status === 0 ? 'ok' : 'FAILED'} (${seconds} s)`);
  if (status !== 0) failed++;
}
console.log(`\nchecks: ${CHECKS.length - failed - skipped} passed, ${failed} failed, ${skipped} skipped`);
process.exit(failed === 0 ? 0 : 1);

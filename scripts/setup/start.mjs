// `npm start`: takes a bare clone; installs what is missing, builds, compiles the examples to flash images, boots them in
// the simulated ESP32 and shows its console: programs first, then applications of several modules with the device OS.
// Exits 0 when every example ran.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { bootstrap, root } from './bootstrap.mjs';
import { buildAppModules, buildExamples } from './examples.mjs';

const CLI = join(root, 'bin/wasm-aot.js');

/** Example -> calls to make on it; without calls its `_start` runs at boot. */
const CALLS = {
  hello: [],
  filter: [['step', '2150', '16']],
  histogram: [['simulate', '1000']],
  fibonacci: [
    ['fib', '20'],
    ['gcd', '3528', '3780'],
  ],
  parser: [['demo', '-3']],
};

/** Application -> how many simulated seconds of it are shown. */
const APPS = { 'weather-station': 10, 'motor-control': 2 };

function wasmAot(...args) {
  console.log(`\n$ npx wasm-aot ${args.map((a) => a.replace(`${root}/`, '')).join(' ')}`);
  const { status } = spawnSync(process.execPath, [CLI, ...args], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status !== 0) {
    console.error(`exit code ${status}`);
    process.exit(1);
  }
}

bootstrap(['runtime', 'examples']);
const { built, skipped } = buildExamples();
for (const { name, wasm } of built) {
  const out = join(root, 'build/examples', name);
  wasmAot('build', wasm, '-o', `${out}.bin`, '--elf', `${out}.elf`, '--map', `${out}.map`);
  if (CALLS[name].length === 0) wasmAot('run', `${out}.bin`);
  for (const call of CALLS[name]) wasmAot('run', wasm, '--invoke', ...call);
}
const modules = buildAppModules();
for (const [app, seconds] of Object.entries(APPS)) {
  const missing = modules.skipped.find(({ name }) => name.startsWith(`${app}/`));
  if (missing !== undefined) {
    skipped.push({ name: app, needs: missing.needs });
    continue;
  }
  const out = join(root, 'build/examples', app, `${app}.bin`);
  wasmAot('build', join(root, 'examples', app, 'things.json'), '-o', out, '--names', '--quiet');
  wasmAot('run', out, '--timeout', String(seconds));
}
for (const { name, needs } of skipped) console.log(`\n${name}: not built, needs ${needs}`);

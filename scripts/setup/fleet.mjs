// `npm run fleet`: takes a bare clone; installs what is missing, builds, compiles the modules of the weather station, then
// runs it as a fleet (scripts/fleet). Arguments go there.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { bootstrap, root } from './bootstrap.mjs';
import { buildAppModules } from './examples.mjs';

bootstrap(['runtime', 'examples']);
const { skipped } = buildAppModules();
const missing = skipped.filter(({ name }) => /^(weather-station|fleet)\//.test(name));
for (const { name, needs } of missing) console.error(`${name}: not built, needs ${needs}`);
if (missing.length > 0) process.exit(1);
const { status } = spawnSync('npx', ['tsx', join(root, 'scripts/fleet/main.ts'), ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});
process.exit(status ?? 1);

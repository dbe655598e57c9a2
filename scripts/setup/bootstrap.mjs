// Takes nothing but Node 20; gives a clone whose npm packages, Debian tools, build and prebuilt runtime are in place.
// Plain JavaScript on Node's own modules only, since nothing else is there yet. Refuses to know what runs afterwards.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Command -> Debian package, by what it is for. `any` lists alternatives, best first. */
const TOOLS = {
  runtime: [{ any: ['xtensa-lx106-elf-gcc', 'xtensa-esp32-elf-gcc'], packages: ['gcc-xtensa-lx106'] }],
  examples: [
    {
      any: ['clang-22', 'clang-21', 'clang-20', 'clang-19', 'clang-16', 'clang'],
      packages: ['clang-22', 'lld-22', 'llvm-22', 'wasi-libc', 'libclang-rt-22-dev-wasm32'],
      fallbackPackages: ['clang', 'lld', 'wasi-libc', 'libclang-rt-dev-wasm32'],
      files: ['/usr/include/wasm32-wasi/stdio.h'],
    },
  ],
  tests: [
    { any: ['cc'], packages: ['gcc', 'libc6-dev'] },
    { any: ['wast2json'], packages: ['wabt'] },
    { any: ['cargo'], packages: ['cargo'] },
  ],
  // A browser and a server that Debian starts by itself: not for everybody's machine. Tests that need them are skipped.
  ci: [
    { any: ['nats-server'], packages: ['nats-server'] },
    { any: ['chromium', 'chromium-browser', 'google-chrome'], packages: ['chromium'] },
    { any: ['coap-client-notls', 'coap-client'], packages: ['libcoap3-bin'] },
  ],
};

function log(text) {
  process.stderr.write(`setup: ${text}\n`);
}

/** True if `command` is on the PATH. */
export function has(command) {
  return spawnSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' }).status === 0;
}

function run(command, args, options = {}) {
  execFileSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], ...options });
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    console.error(`setup: Node 20.19 or newer is needed, this is ${process.versions.node}`);
    process.exit(2);
  }
}

function newest(paths) {
  return Math.max(0, ...paths.filter(existsSync).map((p) => statSync(p).mtimeMs));
}

/** npm packages: installed when missing or older than the lock file. */
function installPackages() {
  const lock = join(root, 'package-lock.json');
  const stamp = join(root, 'node_modules/.package-lock.json');
  if (existsSync(stamp) && newest([lock]) <= newest([stamp]) + 1) return;
  if (existsSync(stamp)) {
    // A checkout gives new mtimes: same packages by content need no new install.
    const wanted = JSON.parse(readFileSync(lock, 'utf8')).packages;
    const have = JSON.parse(readFileSync(stamp, 'utf8')).packages;
    const missing = Object.entries(wanted).filter(
      ([path, p]) => path !== '' && !p.optional && have[path]?.version !== p.version,
    );
    if (missing.length === 0) return;
  }
  log('installing npm packages');
  run('npm', ['ci', '--no-fund', '--no-audit', '--loglevel=error']);
}

let aptUpdated = false;
/** Installs Debian packages; false if that is not possible here. */
function aptInstall(packages) {
  if (!has('apt-get')) return false;
  const isRoot = process.getuid?.() === 0;
  if (!isRoot && spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status !== 0) return false;
  const prefix = isRoot ? [] : ['sudo', '-n'];
  const apt = (...args) =>
    spawnSync([...prefix, 'apt-get'][0], [...prefix, 'apt-get', ...args].slice(1), {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    }).status === 0;
  if (!aptUpdated) {
    apt('update', '-qq');
    aptUpdated = true;
  }
  log(`installing ${packages.join(' ')}`);
  return apt('install', '-y', '-qq', '--no-install-recommends', ...packages);
}

/** Tools of the given groups: installed when missing. Gives the list of what could not be had. */
export function ensureTools(groups) {
  const missing = [];
  for (const group of groups) {
    for (const tool of TOOLS[group]) {
      const present = () => tool.any.some(has) && (tool.files ?? []).every((f) => existsSync(f));
      if (present()) continue;
      if (!aptInstall(tool.packages) && tool.fallbackPackages) aptInstall(tool.fallbackPackages);
      if (!present()) missing.push({ group, command: tool.any[0], packages: tool.packages });
    }
  }
  for (const m of missing) {
    log(`${m.command} is not there and could not be installed: apt-get install ${m.packages.join(' ')} (${m.group})`);
  }
  return missing;
}

/** Everything that `npm start` and `npm test` need. Gives the tools that are missing. */
export function bootstrap(groups) {
  checkNode();
  installPackages();
  const missing = ensureTools(groups);
  log('building');
  run('npm', ['run', '--silent', 'build']);
  return missing;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  bootstrap(process.argv.slice(2).length > 0 ? process.argv.slice(2) : ['runtime']);
}

// Takes examples/ and the language tools that are there; gives build/examples/**/*.wasm and says what could not be built.
// Refuses to know wasm-aot: it makes its input.
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from './bootstrap.mjs';
import {
  compileAssemblyScript,
  compileAssemblyScriptModule,
  compileC,
  compileCProgram,
  compileRust,
  compileWat,
} from './languages.mjs';

const out = join(root, 'build/examples');
const rustModule = (source, wasm) => compileRust(source, wasm, { stack: 2048, library: true });

/** Name -> source and how to compile it; compiling gives a reason when its tools are missing. */
const PROGRAMS = {
  hello: ['hello-c/hello.c', compileCProgram],
  filter: ['sensor-filter-c/filter.c', compileC],
  histogram: ['histogram-as/histogram.ts', compileAssemblyScript],
  fibonacci: ['fibonacci-wat/fibonacci.wat', compileWat],
  parser: ['parser-rust/parser.rs', compileRust],
};

/** The same two modules in three languages; what the SDKs are tested with. */
const SDK = {
  'sdk/provider-c': ['sdk/c/provider.c', compileC],
  'sdk/caller-c': ['sdk/c/caller.c', compileC],
  'sdk/provider-assemblyscript': ['sdk/assemblyscript/provider.ts', compileAssemblyScriptModule],
  'sdk/caller-assemblyscript': ['sdk/assemblyscript/caller.ts', compileAssemblyScriptModule],
  'sdk/provider-rust': ['sdk/rust/provider.rs', rustModule],
  'sdk/caller-rust': ['sdk/rust/caller.rs', rustModule],
};

/** Applications of several modules: a things.json each. */
const APPS = {
  'weather-station/sensor': ['weather-station/sensor.rs', rustModule],
  'weather-station/filter': ['weather-station/filter.ts', compileAssemblyScriptModule],
  'weather-station/alarm': ['weather-station/alarm.c', compileC],
  'weather-station/store': ['weather-station/store.rs', rustModule],
  'weather-station/console': ['weather-station/console.c', compileC],
  'fleet/filter': ['fleet/filter.ts', compileAssemblyScriptModule],
  'motor-control/drive': ['motor-control/drive.c', compileC],
  'motor-control/control': ['motor-control/control.c', compileC],
  'motor-control/rogue': ['motor-control/rogue.c', compileC],
  'motor-control/supervisor': ['motor-control/supervisor.ts', compileAssemblyScriptModule],
};

/** Newest change below a folder. */
function newest(folder) {
  return Math.max(0, ...readdirSync(folder, { recursive: true }).map((path) => statSync(join(folder, path)).mtimeMs));
}

function build(examples) {
  const built = [];
  const skipped = [];
  const tools = Math.max(newest(join(root, 'sdk')), newest(join(root, 'scripts/setup')));
  for (const [name, [source, compile]] of Object.entries(examples)) {
    const wasm = join(out, `${name}.wasm`);
    const changed = Math.max(tools, newest(join(root, 'examples', dirname(source))));
    mkdirSync(dirname(wasm), { recursive: true });
    const current = existsSync(wasm) && statSync(wasm).mtimeMs > changed;
    const needs = current ? undefined : compile(join('examples', source), wasm);
    if (needs === undefined) built.push({ name, wasm });
    else skipped.push({ name, needs });
  }
  return { built, skipped };
}

/** Builds the modules that run alone; gives [{name, wasm}] of the built ones and [{name, needs}] of the others. */
export function buildExamples() {
  return build(PROGRAMS);
}

/** Builds the modules of examples/sdk; gives the same. */
export function buildSdkExamples() {
  return build(SDK);
}

/** Builds the modules of the applications; gives the same. */
export function buildAppModules() {
  return build(APPS);
}

if (process.argv[1]?.endsWith('examples.mjs')) {
  const groups = { programs: buildExamples, sdk: buildSdkExamples, apps: buildAppModules };
  const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(groups);
  for (const group of wanted) {
    const { built, skipped } = groups[group]();
    for (const e of built) console.log(`${e.name}: ${e.wasm}`);
    for (const e of skipped) console.log(`${e.name}: not built, needs ${e.needs}`);
  }
}

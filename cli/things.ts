// Finds out whether a command was given an application of the device OS (a things.json, or modules that carry their
// manifest) and reads all of its files. Knows paths; what is in the files is manifest/'s.
import { dirname, isAbsolute, join } from 'node:path';
import { BOARDS } from '../compiler/abi/boards.js';
import { DiagnosticError } from '../compiler/diagnostics.js';
import { moduleName } from '../compiler/driver.js';
import type { BuildOptions, WasmInput } from '../linker/build.js';
import { buildThings } from '../manifest/build.js';
import type { ThingsBuild } from '../manifest/build.js';
import type { Findings } from '../manifest/findings.js';
import { rawPublicKey, readPublicKey } from '../manifest/keys.js';
import { joinSections, loadManifest } from '../manifest/load.js';
import type { LoadedManifest } from '../manifest/load.js';
import { readManifestSection } from '../manifest/section.js';
import { isJson } from './file-kind.js';
import { moduleInput, readModules } from './inputs.js';
import { displayName, readInput } from './io.js';
import { DEFAULT_BOARD } from './options.js';

export interface Application {
  readonly loaded: LoadedManifest;
  /** By module name. */
  readonly inputs: ReadonlyMap<string, WasmInput>;
  readonly publicKey: Uint8Array | null;
}

/** What `build` was given: an application, or plain modules. */
export type BuildInput =
  | { readonly kind: 'application'; readonly application: Application }
  | { readonly kind: 'modules'; readonly modules: readonly WasmInput[] };

/**
 * @param first contents of the only path, if they have been read
 * @throws DiagnosticError W601, W605, and those of manifests
 */
export function readBuildInput(
  paths: readonly string[],
  name: string | undefined,
  first = paths.length === 1 ? readInput(paths[0]!) : null,
): BuildInput {
  if (first !== null && (isJson(first) || paths[0]!.endsWith('.json')))
    return { kind: 'application', application: readThings(paths[0]!, first, name) };
  if (paths.some((path) => path.endsWith('.json')))
    throw new DiagnosticError('W605', 'a things.json names its modules itself: it is the only input');
  const modules = first === null ? readModules(paths, name) : [moduleInput(paths[0]!, first, name)];
  const carried = modules.map(({ bytes, file }) => ({ file, section: readManifestSection(bytes, file) }));
  const without = carried.find(({ section }) => section === null);
  if (carried.every(({ section }) => section === null)) return { kind: 'modules', modules };
  if (without !== undefined)
    throw new DiagnosticError('W605', 'other inputs carry a manifest, this one does not', { file: without.file });
  if (name !== undefined) throw new DiagnosticError('W605', '--name: the module is named by its manifest');
  const loaded = joinSections(carried.map(({ file, section }) => ({ file, section: section! })));
  const inputs = new Map(loaded.app.modules.map((model, i) => [model.name, modules[i]!]));
  return { kind: 'application', application: { loaded, inputs, publicKey: null } };
}

/** Builds the image for the board that the command line asks for, else for the manifest's. */
export function buildApplication(
  { loaded, inputs, publicKey }: Application,
  args: { readonly board: string },
  options: BuildOptions,
): ThingsBuild {
  const { board: wanted } = loaded.app;
  const board = args.board === DEFAULT_BOARD && wanted !== null ? BOARDS.get(wanted)! : options.board;
  return buildThings(loaded, inputs, { ...options, board, publicKey });
}

/** Reads a things.json and the files it names. @throws DiagnosticError as readBuildInput */
export function readThings(path: string, bytes = readInput(path), name?: string): Application {
  if (name !== undefined) throw new DiagnosticError('W605', '--name: modules are named by the manifest');
  const loaded = loadManifest(bytes, displayName(path));
  const { app, findings } = loaded;
  const inputs = new Map<string, WasmInput>();
  for (const { name: module, wasm, pointer } of app.modules) {
    const file = beside(path, wasm);
    const contents = reading(findings, `${pointer}/wasm`, () => readInput(file));
    if (contents !== null) inputs.set(module, { bytes: contents, file, name: module });
  }
  const key = app.publicKey === null ? null : beside(path, app.publicKey);
  const publicKey =
    key === null ? null : reading(findings, '/publicKey', () => rawPublicKey(readPublicKey(readInput(key), key)));
  findings.raise();
  return { loaded, inputs, publicKey };
}

/** A file that a things.json names. */
function beside(things: string, file: string): string {
  return isAbsolute(file) ? file : join(things === '-' ? '.' : dirname(things), file);
}

/** What `read` gives; what is wrong with the file is told at the place that names it. */
function reading<T>(findings: Findings, pointer: string, read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    findings.error(error.code, pointer, `${error.message}: ${error.place.file}`);
    return null;
  }
}

export interface SingleModule {
  readonly loaded: LoadedManifest;
  readonly name: string;
  readonly input: WasmInput;
}

/**
 * One module of a things.json, of which no other file is read, or a .wasm that carries its manifest.
 * @param wanted its name; may be left out where there is only one
 * @throws DiagnosticError W601, W605, and those of manifests
 */
export function readModuleOf(path: string, wanted: string | undefined): SingleModule {
  const bytes = readInput(path);
  const file = displayName(path);
  if (!isJson(bytes)) {
    const section = readManifestSection(bytes, file);
    if (section === null)
      throw new DiagnosticError('W814', 'carries no manifest: give its things.json, or embed it there', { file });
    const loaded = joinSections([{ file, section }]);
    const { name } = loaded.app.modules[0]!;
    if (wanted !== undefined && wanted !== name)
      throw new DiagnosticError('W605', `--module ${wanted}: this is ${name}`, { file });
    return { loaded, name, input: { bytes, file, name } };
  }
  const loaded = loadManifest(bytes, file);
  const { modules } = loaded.app;
  const model = wanted === undefined && modules.length === 1 ? modules[0] : modules.find(({ name }) => name === wanted);
  if (model === undefined) {
    const names = modules.map(({ name }) => name).join(', ');
    throw new DiagnosticError('W605', `--module must be one of ${names}`, { file });
  }
  const wasm = beside(path, model.wasm);
  return { loaded, name: model.name, input: { bytes: readInput(wasm), file: wasm, name: model.name } };
}

/**
 * Modules by the names they have in an image: of a things.json all, of a .wasm that carries its manifest the name there,
 * else what stands before a `=`, else the file's name.
 */
export function readNamedModules(argument: string): { name: string; file: string; bytes: Uint8Array }[] {
  const [, given, path] = /^(?:([A-Za-z0-9_.-]+)=)?(.*)$/s.exec(argument)!;
  const bytes = readInput(path!);
  const file = displayName(path!);
  if (given === undefined && isJson(bytes))
    return [...readThings(path!, bytes).inputs].map(([name, input]) => ({
      name,
      file: input.file,
      bytes: input.bytes,
    }));
  const carried = given === undefined ? readManifestSection(bytes, file)?.module['name'] : given;
  return [{ name: typeof carried === 'string' ? carried : moduleName({ file }), file, bytes }];
}

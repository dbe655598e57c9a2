// Takes a checked model and its modules' bytes, gives a flash image of the device OS with them: the entry that the
// command line and tests use. Refuses to know the file system.
import type { CompileOptions } from '../backend-xtensa/compile-module.js';
import { RuntimeSymbol } from '../compiler/abi/linker-symbols.js';
import { LIBCALLS } from '../compiler/abi/libcalls.js';
import { BOOT_TABLE_SYMBOL } from '../compiler/abi/os-layout.js';
import { THINGSPIRE_MODULE, THINGSPIRE_SIGNATURES } from '../compiler/abi/os-imports.js';
import { exportSymbol } from '../compiler/abi/symbols.js';
import { WASI_MODULE, WASI_SIGNATURES } from '../compiler/abi/wasi.js';
import { WindowSymbol } from '../compiler/abi/window.js';
import type { DiagnosticError } from '../compiler/diagnostics.js';
import { makeBill } from '../linker/bill.js';
import { compileInputs, withDecisions } from '../linker/build.js';
import type { BuildOptions, BuildResult, WasmInput } from '../linker/build.js';
import { writeFlashImage } from '../linker/image/flash.js';
import { link } from '../linker/link.js';
import type { InputObject } from '../linker/object.js';
import { loadRuntimeObjects, requireCryptography } from '../linker/runtime-objects.js';
import { planSlots, slotsExceed } from '../linker/slots.js';
import type { SlotPlace } from '../linker/slots.js';
import { stringsObject } from '../linker/strings-object.js';
import { checkMemories, checkModule, checkStacks } from './check-modules.js';
import { DescriptorWriter } from './descriptors.js';
import type { DescribedModule } from './descriptors.js';
import { deviceBill } from './device-bill.js';
import type { DeviceBill } from './device-bill.js';
import type { LoadedManifest } from './load.js';
import type { ModuleModel } from './model.js';

export interface ThingsBuild extends BuildResult {
  readonly device: DeviceBill;
  readonly slots: readonly SlotPlace[];
  readonly warnings: readonly DiagnosticError[];
}

/** What compiled modules may call: kept in images with slots, and part of their identity. */
export const LINK_INTERFACE: readonly string[] = [
  ...Object.values(LIBCALLS).map(({ symbol }) => symbol),
  ...[...THINGSPIRE_SIGNATURES.keys()].map((name) => exportSymbol(THINGSPIRE_MODULE, name)),
  ...[...WASI_SIGNATURES.keys()].map((name) => exportSymbol(WASI_MODULE, name)),
  RuntimeSymbol.ArgumentBuffer,
  WindowSymbol.Translate,
];

export interface ThingsOptions extends Omit<BuildOptions, 'compile'> {
  readonly compile?: CompileOptions;
  /** Raw Ed25519 key of who may sign packages. */
  readonly publicKey?: Uint8Array | null;
  /** Instead of the prebuilt runtime. */
  readonly runtime?: readonly InputObject[];
}

/**
 * Builds the image of an application.
 * @param inputs the .wasm of each module, by its name in the manifest
 * @throws DiagnosticErrors for every fault of manifest and modules, W403 with the bill if it does not fit
 */
export function buildThings(
  { app, findings }: LoadedManifest,
  inputs: ReadonlyMap<string, WasmInput>,
  options: ThingsOptions,
): ThingsBuild {
  const { board } = options;
  const described: DescribedModule[] = [];
  const compiled = compileInputs(
    app.modules.map(({ name }) => ({ ...inputs.get(name)!, name })),
    {
      ...options,
      compile: osCompileOptions(options),
      memory: { ...options.memory, limits: memoryLimits(app.modules) },
    },
    (modules) => {
      for (const ir of modules) {
        const model = app.modules.find(({ name }) => name === ir.name)!;
        described.push({ model, facts: checkModule(model, ir, findings) });
      }
      findings.raise();
    },
  );
  checkMemories(app.modules, compiled.decisions, findings);
  findings.raise();
  options.onProgress?.('linking');
  const slots = planSlots(board, app.slots);
  const exceeded = slotsExceed(board, slots);
  if (exceeded !== null) findings.error('W812', '/slots', `they take more ${exceeded} than board ${board.name} has`);
  findings.raise();
  const writer = new DescriptorWriter(app.name, board);
  writer.bootTable(app, described, slots, options.publicKey ?? null);
  const strings = {
    args: app.modules.find(({ args }) => args.length > 0)?.args ?? options.strings?.args ?? [],
    env: app.modules.find(({ env }) => env.length > 0)?.env ?? options.strings?.env ?? [],
  };
  if (slots.length > 0 && options.runtime === undefined) requireCryptography();
  const runtime = options.runtime ?? loadRuntimeObjects();
  const objects = [...runtime, stringsObject(strings), ...compiled.objects, ...writer.finish('runtime')];
  const limit = options.memory?.limit;
  const unchecked = link(objects, board, {
    ...(limit === undefined ? {} : { growthLimit: limit }),
    ...options.link,
    keep: [BOOT_TABLE_SYMBOL, ...(slots.length > 0 ? LINK_INTERFACE : [])],
    device: {
      slots,
      modules: app.modules.map(({ name, stackBytes, priority, memoryMax }) => {
        return { module: name, stackBytes, priority, memoryMax };
      }),
    },
  });
  const linked = withDecisions(unchecked, compiled.decisions);
  const needs = checkStacks(app.modules, linked.modules, findings);
  findings.raise();
  const image = writeFlashImage(linked);
  return {
    linked,
    image,
    bill: makeBill(linked, image.length),
    modules: compiled.built,
    memories: compiled.decisions,
    device: deviceBill(app, linked, needs, slots),
    slots,
    warnings: findings.warnings,
  };
}

/** Every module of the device OS may be given windows. */
export function osCompileOptions({ compile }: { readonly compile?: CompileOptions }): CompileOptions {
  return { ...compile, windows: true };
}

/** Memory budgets by module. */
export function memoryLimits(modules: readonly ModuleModel[]): ReadonlyMap<string, number> {
  return new Map(modules.flatMap(({ name, memoryMax }) => (memoryMax === null ? [] : [[name, memoryMax] as const])));
}

// Takes one module of a manifest and a slot of an image, gives the package that a device installs there, signed; and
// opens packages again. Refuses to know the file system.
import type { KeyObject } from 'node:crypto';
import { ABI_VERSION } from '../compiler/abi/layout.js';
import { OS_ABI_VERSION, PACKAGE_MAGIC, TS_PACKAGE } from '../compiler/abi/os-layout.js';
import { DiagnosticError } from '../compiler/diagnostics.js';
import type { IrModule } from '../compiler/ir/module.js';
import { compileInputs } from '../linker/build.js';
import type { BuildOptions, WasmInput } from '../linker/build.js';
import { linkBank } from '../linker/link-bank.js';
import type { LinkedImage } from '../linker/linked.js';
import type { MemoryDecision } from '../linker/memory-plan.js';
import type { SlotPlace } from '../linker/slots.js';
import type { BaseImage } from './base.js';
import { memoryLimits, osCompileOptions } from './build.js';
import { checkMemories, checkModule, checkStacks } from './check-modules.js';
import type { StackNeed } from './check-modules.js';
import { openMessage, signMessage } from './cose.js';
import { DescriptorWriter } from './descriptors.js';
import type { ModuleFacts } from './descriptors.js';
import type { LoadedManifest } from './load.js';
import type { ModuleModel } from './model.js';

/** Where the package's header points. */
const INFO_SYMBOL = 'ts_package_info';

export interface LinkedPackage {
  /** Header, constants and code as they lie in the bank. */
  readonly contents: Uint8Array;
  readonly linked: LinkedImage;
  readonly ramBytes: number;
  readonly needs: readonly StackNeed[];
  /** The module as it was read, before anything was left out. */
  readonly ir: IrModule;
  /** What its memories are there. */
  readonly memories: readonly MemoryDecision[];
}

export interface Package extends LinkedPackage {
  /** The COSE_Sign1. */
  readonly bytes: Uint8Array;
}

type PackageOptions = Pick<BuildOptions, 'compile' | 'onProgress'>;

/**
 * Links module `name` of the manifest for a slot and signs it.
 * @param key private Ed25519 key
 * @throws as linkPackage
 */
export function buildPackage(
  loaded: LoadedManifest,
  name: string,
  input: WasmInput,
  base: BaseImage,
  slotName: string,
  key: KeyObject,
  options: PackageOptions,
): Package {
  const linked = linkPackage(loaded, name, input, base, slotName, options);
  return { ...linked, bytes: signMessage(linked.contents, key) };
}

/**
 * Links module `name` of the manifest for a slot.
 * @throws DiagnosticErrors for every fault of manifest and module, W403 if it does not fit the slot, W812 if there is none
 */
export function linkPackage(
  { app, findings }: LoadedManifest,
  name: string,
  input: WasmInput,
  base: BaseImage,
  slotName: string,
  options: PackageOptions,
): LinkedPackage {
  const model = app.modules.find((module) => module.name === name);
  if (model === undefined) throw new DiagnosticError('W812', `the manifest has no module "${name}"`);
  const slot = findSlot(base, slotName);
  const limits = memoryLimits([model]);
  let facts: ModuleFacts | undefined;
  let read: IrModule | undefined;
  const compiled = compileInputs(
    [{ ...input, name }],
    { ...options, compile: osCompileOptions(options), memory: { limits } },
    ([ir]) => {
      read = ir;
      facts = checkModule(model, ir!, findings);
      findings.raise();
    },
  );
  checkMemories([model], compiled.decisions, findings);
  findings.raise();
  const writer = new DescriptorWriter(name, base.board);
  const info = writer.module({ model, facts: facts! });
  writer.structs.export(INFO_SYMBOL, info, 0);
  const objects = [...compiled.objects, ...writer.finish('module')];
  const { stackBytes, priority, memoryMax } = model;
  const plan = { module: name, stackBytes, priority, memoryMax };
  const { linked, bytes, ramBytes } = linkBank({ ...base, slot }, objects, plan, TS_PACKAGE.size);
  const needs = checkStacks([model], linked.modules, findings);
  findings.raise();
  writeHeader(bytes, model, linked, base, slot, ramBytes);
  return { contents: bytes, linked, ramBytes, needs, ir: read!, memories: compiled.decisions };
}

function findSlot({ slots }: BaseImage, name: string): SlotPlace {
  const slot = slots.find((candidate) => candidate.name === name);
  if (slot !== undefined) return slot;
  const names = slots.map((candidate) => candidate.name).join(', ');
  throw new DiagnosticError('W812', `the image has no slot "${name}"; it has ${names === '' ? 'none' : names}`);
}

function writeHeader(
  bytes: Uint8Array,
  model: ModuleModel,
  linked: LinkedImage,
  base: BaseImage,
  slot: SlotPlace,
  ramBytes: number,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = {
    magic: PACKAGE_MAGIC,
    os_abi_version: OS_ABI_VERSION,
    wasm_abi_version: ABI_VERSION,
    total_bytes: bytes.length,
    info: linked.symbols.get(INFO_SYMBOL)!.address,
    slot_code_base: slot.codeBase,
    slot_ram_base: slot.ramBase,
    ram_bytes: ramBytes,
    base_id: base.id,
    version: versionNumber(model.version),
  };
  for (const [field, value] of Object.entries(values))
    view.setUint32(TS_PACKAGE.offset[field as keyof typeof values], value, true);
}

/** `major << 20 | minor << 10 | patch`. */
export function versionNumber(text: string): number {
  const [major, minor, patch] = text.split('.').map(Number) as [number, number, number];
  return major * 2 ** 20 + minor * 2 ** 10 + patch;
}

/** What the header of a package says. */
export interface PackageInfo {
  readonly contents: Uint8Array;
  readonly header: Readonly<Record<string, number>>;
}

/**
 * Opens a package.
 * @param publicKey checks the signature if given
 * @throws DiagnosticError W815, W813
 */
export function readPackage(bytes: Uint8Array, file: string, publicKey: KeyObject | null): PackageInfo {
  const contents = openMessage(bytes, file, publicKey);
  const fail = (what: string): never => {
    throw new DiagnosticError('W815', what, { file });
  };
  if (contents.length < TS_PACKAGE.size) fail('shorter than its header');
  const view = new DataView(contents.buffer, contents.byteOffset, contents.byteLength);
  const header: Record<string, number> = {};
  for (const { name, offset } of TS_PACKAGE.fields) header[name] = view.getUint32(offset, true);
  if (header['magic'] !== PACKAGE_MAGIC) fail('no header of a package');
  if (header['total_bytes'] !== contents.length)
    fail(`${contents.length} bytes, where its header says ${header['total_bytes']}`);
  return { contents, header };
}

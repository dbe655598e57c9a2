// Compiles a module for one slot of a device's image: contents of the bank and layout of the state. Takes plain data and
// gives plain data, so that it can run in another thread. Knows no key, no cache and no device.
import { joinSections } from '../../manifest/load.js';
import type { BaseImage } from '../../manifest/base.js';
import { linkPackage } from '../../manifest/package.js';
import { readManifestSection } from '../../manifest/section.js';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { stateLayout, type StateLayout } from './state-layout.js';

export interface CompileJob {
  readonly wasm: Uint8Array;
  readonly image: BaseImage;
  readonly slot: string;
  /** Where the module comes from, for messages. */
  readonly file: string;
}

export interface CompiledSlot {
  readonly module: string;
  readonly version: string;
  /** What is signed: header, constants and code as they lie in the bank. */
  readonly contents: Uint8Array;
  readonly ramBytes: number;
  readonly state: StateLayout;
}

/** @throws DiagnosticErrors of the module, W403 if it does not fit the slot, W903 if its state cannot move */
export function compileForSlot({ wasm, image, slot, file }: CompileJob): CompiledSlot {
  const section = readManifestSection(wasm, file);
  if (section === null) throw new DiagnosticError('W814', 'the module carries no manifest', { file });
  const loaded = joinSections([{ file, section }]);
  const { name, version } = loaded.app.modules[0]!;
  const linked = linkPackage(loaded, name, { bytes: wasm, file, name }, image, slot, { compile: {} });
  const { contents, ramBytes } = linked;
  return { module: name, version, contents, ramBytes, state: stateLayout(linked, wasm) };
}

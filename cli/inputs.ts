// Reads the Wasm files a command was given and names their modules. Refuses to know what is in them.
import { DiagnosticError } from '../compiler/diagnostics.js';
import type { WasmInput } from '../linker/build.js';
import { displayName, readInput } from './io.js';

/** @throws DiagnosticError W601, W605 when one name is given for several modules */
export function readModules(paths: readonly string[], name: string | undefined): WasmInput[] {
  if (name !== undefined && paths.length > 1) throw new DiagnosticError('W605', '--name is for a single input');
  return paths.map((path) => moduleInput(path, readInput(path), name));
}

/** A module that has been read. */
export function moduleInput(path: string, bytes: Uint8Array, name: string | undefined): WasmInput {
  const moduleName = name ?? (path === '-' ? 'stdin' : undefined);
  return { bytes, file: displayName(path), ...(moduleName === undefined ? {} : { name: moduleName }) };
}

// The compiler's front door: bytes in, a validated module or IR out. Knows the order of the front end's stages and
// nothing of what they do; file names are only for messages and the module's name.
import { DiagnosticError } from './diagnostics.js';
import type { IrModule } from './ir/module.js';
import { translateModule, type Translation } from './translate/module.js';
import { decodeModule } from './wasm/decode.js';
import { reportModule, type ModuleReport } from './wasm/inspect.js';
import type { WasmModule } from './wasm/types.js';
import { validateBodies, validateDeclarations } from './wasm/validate.js';

/** A completely validated module. */
export interface ValidModule {
  readonly module: WasmModule;
}

export interface FrontendOptions {
  /** File name for messages; its base name is the module's name unless `name` is given. */
  readonly file?: string;
  readonly name?: string;
}

/** Decodes and validates all of `bytes`. Errors: DiagnosticError W1xx, W2xx, W301, W501. */
export function parseModule(bytes: Uint8Array, options: { readonly file?: string } = {}): ValidModule {
  return withFile(options.file, () => {
    const declared = validateDeclarations(decodeModule(bytes));
    validateBodies(declared);
    return { module: declared.module };
  });
}

/** Validates `bytes` and describes them: the data behind `inspect`. Errors: as `parseModule`. */
export function inspectModule(bytes: Uint8Array, options: { readonly file?: string } = {}): ModuleReport {
  return reportModule(parseModule(bytes, options).module);
}

/** Decodes, validates and translates in one pass over the bodies. Errors: as `parseModule`. */
export function frontend(bytes: Uint8Array, options: FrontendOptions = {}): IrModule {
  return frontendWithTraffic(bytes, options).ir;
}

/** `frontend` with the operand stack traffic that the stack-pairs pass reports against. */
export function frontendWithTraffic(bytes: Uint8Array, options: FrontendOptions = {}): Translation {
  return withFile(options.file, () => translateModule(validateDeclarations(decodeModule(bytes)), moduleName(options)));
}

/** The name that prefixes a module's symbols: only letters, digits, `_`, `.` and `-`. */
export function moduleName({ file, name }: FrontendOptions): string {
  const base = name ?? (file ?? '').replace(/^.*[\\/]/, '').replace(/\.(wasm|wat)$/i, '');
  const safe = base.replace(/[^A-Za-z0-9_.-]/g, '_');
  return safe === '' ? 'module' : safe;
}

function withFile<T>(file: string | undefined, run: () => T): T {
  if (file === undefined) return run();
  try {
    return run();
  } catch (error) {
    throw error instanceof DiagnosticError ? error.at({ file }) : error;
  }
}

// The compiler's front door: bytes in, a validated module or IR out. Knows the order of the front end's stages and
// nothing of what they do; file names are only for messages and the module's name.
import { DiagnosticError } from './diagnostics.js';
import { decodeModule } from './wasm/decode.js';
import type { WasmModule } from './wasm/types.js';
import { validateBodies, validateDeclarations } from './wasm/validate.js';

/** A completely validated module. */
export interface ValidModule {
  readonly module: WasmModule;
}

function withFile<T>(file: string | undefined, run: () => T): T {
  if (file === undefined) return run();
  try {
    return run();
  } catch (error) {
    throw error instanceof DiagnosticError ? error.at({ file }) : error;
  }
}

/** Decodes and validates all of `bytes`. Errors: DiagnosticError W1xx, W2xx, W301, W501. */
export function parseModule(bytes: Uint8Array, options: { readonly file?: string } = {}): ValidModule {
  return withFile(options.file, () => {
    const declared = validateDeclarations(decodeModule(bytes));
    validateBodies(declared);
    return { module: declared.module };
  });
}

// Reads the `name` custom section into the module's function names. A malformed one is a warning, never an error, as the
// spec wants: names carry no meaning.
import { DiagnosticError } from '../diagnostics.js';
import { ByteReader } from './reader.js';
import type { WasmModule } from './types.js';

const MODULE_NAME = 0;
const FUNCTION_NAMES = 1;

/** Fills `funcNames` and `moduleName` from the contents of a name section; a later section overrides an earlier one. */
export function readNameSection(r: ByteReader, m: WasmModule): void {
  try {
    while (!r.done) {
      const id = r.u8();
      const size = r.u32();
      const start = r.pos;
      r.skip(size);
      const sub = new ByteReader(r.bytes, start, r.pos);
      if (id === MODULE_NAME) m.moduleName = sub.name();
      else if (id === FUNCTION_NAMES) {
        const count = sub.count(2);
        for (let i = 0; i < count; i++) {
          const index = sub.u32();
          m.funcNames.set(index, sub.name());
        }
      }
    }
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    const at = error.place.offset === undefined ? '' : ` at offset 0x${error.place.offset.toString(16)}`;
    m.warnings.push(`malformed name section ignored: ${error.message}${at}`);
  }
}

// Takes the host's functions for windows, puts them into a rewritten module's table. A table holds only functions that
// WebAssembly made, so a small module passes them on. Knows no grant.
import { ByteWriter } from './byte-writer.js';
import { WINDOW_FUNCTIONS, WINDOW_SIGNATURES, WINDOW_TABLE, type WindowFunction } from './rewrite.js';

/** Implementations; parameters and results as in WINDOW_FUNCTIONS, i64 as bigint. Throwing traps. */
export type WindowHost = Readonly<Record<WindowFunction, (...args: never[]) => unknown>>;

let shim: WebAssembly.Module | undefined;

function section(out: ByteWriter, id: number, write: (w: ByteWriter) => void): void {
  const w = new ByteWriter();
  write(w);
  out.u8(id);
  out.u32(w.length);
  out.raw(w.view());
}

/** A module that imports every function and exports it again. */
function shimModule(): WebAssembly.Module {
  const out = new ByteWriter();
  out.raw(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
  section(out, 1, (w) => {
    w.u32(WINDOW_SIGNATURES.length);
    for (const [params, results] of WINDOW_SIGNATURES) {
      w.u8(0x60);
      for (const list of [params, results]) {
        w.u32(list.length);
        list.forEach((type) => w.u8(type));
      }
    }
  });
  section(out, 2, (w) => {
    w.u32(WINDOW_FUNCTIONS.length);
    WINDOW_FUNCTIONS.forEach((name, type) => {
      w.name('host');
      w.name(name);
      w.u8(0);
      w.u32(type);
    });
  });
  section(out, 7, (w) => {
    w.u32(WINDOW_FUNCTIONS.length);
    WINDOW_FUNCTIONS.forEach((name, index) => {
      w.name(name);
      w.u8(0);
      w.u32(index);
    });
  });
  return new WebAssembly.Module(out.view() as BufferSource);
}

/** Connects `instance`, made from `rewriteForEdge`'s bytes, with `host`. */
export function connectWindows(instance: WebAssembly.Instance, host: WindowHost): void {
  shim ??= shimModule();
  const { exports } = new WebAssembly.Instance(shim, { host: host as unknown as WebAssembly.ModuleImports });
  const table = instance.exports[WINDOW_TABLE] as WebAssembly.Table;
  WINDOW_FUNCTIONS.forEach((name, slot) => table.set(slot, exports[name]));
}

// Takes the host's functions, puts them into a rewritten module's table. A table holds only functions that WebAssembly
// made, so a small module passes them on. Knows no grant.
import { ByteWriter } from './byte-writer.js';
import { HOST_FUNCTIONS, HOST_SIGNATURES, HOST_TABLE, type HostImplementation } from './interface.js';

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
    w.u32(HOST_SIGNATURES.length);
    for (const [params, results] of HOST_SIGNATURES) {
      w.u8(0x60);
      for (const list of [params, results]) {
        w.u32(list.length);
        list.forEach((type) => w.u8(type));
      }
    }
  });
  section(out, 2, (w) => {
    w.u32(HOST_FUNCTIONS.length);
    HOST_FUNCTIONS.forEach((name, type) => {
      w.name('host');
      w.name(name);
      w.u8(0);
      w.u32(type);
    });
  });
  section(out, 7, (w) => {
    w.u32(HOST_FUNCTIONS.length);
    HOST_FUNCTIONS.forEach((name, index) => {
      w.name(name);
      w.u8(0);
      w.u32(index);
    });
  });
  return new WebAssembly.Module(out.view() as BufferSource);
}

/** Connects `instance`, made from `rewriteForEdge`'s bytes, with `host`. */
export function connectWindows(instance: WebAssembly.Instance, host: HostImplementation): void {
  shim ??= shimModule();
  const { exports } = new WebAssembly.Instance(shim, { host: host as unknown as WebAssembly.ModuleImports });
  const table = instance.exports[HOST_TABLE] as WebAssembly.Table;
  HOST_FUNCTIONS.forEach((name, slot) => table.set(slot, exports[name]));
}

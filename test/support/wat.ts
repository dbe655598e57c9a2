// Turns WebAssembly text into bytes for tests (npm wabt, every feature it knows). Takes text, gives bytes; no caching.
import initWabt from 'wabt';

let instance: ReturnType<typeof initWabt> | undefined;

/** Bytes of a module in text form. Throws on text that does not parse; validity is not checked unless `check`. */
export async function wat(text: string, options: { readonly check?: boolean; readonly names?: boolean } = {}): Promise<Uint8Array> {
  const wabt = await (instance ??= initWabt());
  const parsed = wabt.parseWat('test.wat', text, {
    multi_memory: true,
    tail_call: true,
    extended_const: true,
    exceptions: true,
    threads: true,
    function_references: true,
    gc: true,
    memory64: true,
    relaxed_simd: true,
  });
  try {
    if (options.check === true) parsed.validate();
    const { buffer } = parsed.toBinary({ write_debug_names: options.names === true });
    return Uint8Array.from(buffer);
  } finally {
    parsed.destroy();
  }
}

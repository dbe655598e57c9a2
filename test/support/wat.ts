// Turns WebAssembly text into bytes for tests (npm wabt, every feature it knows). Takes text, gives bytes; no caching.
import initWabt from 'wabt';

/** The types of wabt lag behind its features. */
const FEATURES: Record<string, boolean> = {
  multi_memory: true,
  tail_call: true,
  extended_const: true,
  exceptions: true,
  threads: true,
  function_references: true,
  gc: true,
  memory64: true,
  relaxed_simd: true,
};

let instance: ReturnType<typeof initWabt> | undefined;

/** Bytes of a module in text form, valid or not. Throws on text that does not parse. */
export async function wat(text: string, options: { readonly names?: boolean } = {}): Promise<Uint8Array> {
  const wabt = await (instance ??= initWabt());
  const parsed = wabt.parseWat('test.wat', text, FEATURES);
  try {
    const { buffer } = parsed.toBinary({ write_debug_names: options.names === true });
    return Uint8Array.from(buffer);
  } finally {
    parsed.destroy();
  }
}

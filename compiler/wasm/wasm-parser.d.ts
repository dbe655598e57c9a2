// Types of the one function we use of @webassemblyjs/wasm-parser, which ships none.
declare module '@webassemblyjs/wasm-parser' {
  /** Gives a syntax tree (`Program`); throws plain errors. */
  export function decode(bytes: ArrayBuffer, options?: Record<string, boolean>): unknown;
}

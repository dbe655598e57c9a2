// Takes a corpus program; gives a session on Node's own WebAssembly. Knows nothing of our compiler.
/// <reference lib="dom" />
import wabtInit from 'wabt';
import type { CorpusProgram, Session, SupportModule } from './session.js';

const wabt = await wabtInit();

/** Binary of a support module. */
export function supportBytes(support: SupportModule): Uint8Array {
  const module = wabt.parseWat(`${support.importName}.wat`, support.wat, { multi_value: true, bulk_memory: true });
  try {
    return new Uint8Array(module.toBinary({}).buffer);
  } finally {
    module.destroy();
  }
}

function sessionOf(exports: WebAssembly.Exports): Session {
  const memory = (): Uint8Array => {
    const found = Object.values(exports).find((e) => e instanceof WebAssembly.Memory);
    if (!(found instanceof WebAssembly.Memory)) throw new Error('the module exports no memory');
    return new Uint8Array(found.buffer);
  };
  return {
    call: (name, ...args) => (exports[name] as (...a: unknown[]) => number | bigint | undefined)(...args),
    global: (name) => (exports[name] as WebAssembly.Global).value as number | bigint,
    read: (address, length) => memory().slice(address, address + length),
    write: (address, bytes) => memory().set(bytes, address),
  };
}

/** Instantiates the program's module and its support modules. */
export function nodeSession(
  program: CorpusProgram,
  bytes: Uint8Array,
): { session: Session; support: (name: string) => Session } {
  const imports: WebAssembly.Imports = {};
  for (const support of program.support) {
    const instance = new WebAssembly.Instance(new WebAssembly.Module(supportBytes(support) as BufferSource), imports);
    imports[support.importName] = instance.exports;
  }
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes as BufferSource), imports);
  return {
    session: sessionOf(instance.exports),
    support: (name) => sessionOf(imports[name] as WebAssembly.Exports),
  };
}

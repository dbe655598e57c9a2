// The contract between a corpus program's driver and where its module runs, and the recorder that makes transcripts
// comparable. Knows no engine and no program.

export type JsValue = number | bigint | undefined;

/** A running module, driven through its real exports. */
export interface Session {
  call(name: string, ...args: (number | bigint)[]): JsValue;
  /** Value of an exported global. */
  global(name: string): number | bigint;
  read(address: number, length: number): Uint8Array;
  write(address: number, bytes: Uint8Array): void;
}

/** What the module imports, as WebAssembly text of a module that provides it under the given import module name. */
export interface SupportModule {
  readonly importName: string;
  readonly wat: string;
}

/** A `.wasm` file that an npm package ships, and how its users drive it. */
export interface CorpusProgram {
  readonly name: string;
  /** Path below node_modules. */
  readonly file: string;
  readonly support: readonly SupportModule[];
  /** Drives the module; everything it returns or reads is recorded. `support` reaches the support modules' exports. */
  run(session: Session, support: (importName: string) => Session): void;
}

function format(value: JsValue): string {
  if (typeof value === 'bigint') return `${value}n`;
  return Object.is(value, -0) ? '-0' : String(value);
}

/** Wraps a session so that every result and every byte read is appended to `transcript`. */
export function record(session: Session, transcript: string[]): Session {
  return {
    call(name, ...args) {
      const result = session.call(name, ...args);
      transcript.push(`${name}(${args.map(format).join(', ')}) = ${format(result)}`);
      return result;
    },
    global(name) {
      const value = session.global(name);
      transcript.push(`${name} = ${format(value)}`);
      return value;
    },
    read(address, length) {
      const bytes = session.read(address, length);
      transcript.push(`[${address}, ${length}] = ${Buffer.from(bytes).toString('hex')}`);
      return bytes;
    },
    write: (address, bytes) => session.write(address, bytes),
  };
}

// Compiled modules for the slots of devices, each made once: in memory, on disk, else by a thread. Takes .wasm and the
// firmware's description; gives what is uploaded. Knows no device and no key.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { decode, encode } from 'cborg';
import { ABI_VERSION } from '../../compiler/abi/layout.js';
import { OS_ABI_VERSION } from '../../compiler/abi/os-layout.js';
import { DiagnosticError, InternalError } from '../../compiler/diagnostics.js';
import type { BaseImage } from '../../manifest/base.js';
import type { CompiledSlot, CompileJob } from './compile-job.js';
import type { CompileOutcome } from './compile-thread.js';

/** Raise when compiled code or the form of CompiledSlot changes: what lies on disk is then made again. */
const CACHE_FORMAT = 1;
const MAX_IN_MEMORY = 32;
const HASH_BYTES = 32;
const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();
const IS_SOURCE = import.meta.url.endsWith('.ts');
/** By address: the working folder is no place to resolve packages from. */
const TSX = IS_SOURCE ? import.meta.resolve('tsx/esm/api') : '';
const ENTRY = new URL(`./compile-thread.${IS_SOURCE ? 'ts' : 'js'}`, import.meta.url);
const LOADER = `import(${JSON.stringify(TSX)}).then(({ register }) => (register(), import(${JSON.stringify(ENTRY.href)})))`;

export class SlotCompiler {
  private readonly known = new Map<string, Promise<CompiledSlot>>();
  /** One compilation at a time: they are all work for the processor. */
  private last: Promise<unknown> = Promise.resolve();

  /** @param directory null: nothing is kept on disk */
  constructor(private readonly directory: string | null) {}

  /** @throws DiagnosticErrors as compileForSlot */
  compile(wasm: Uint8Array, image: BaseImage, slot: string, file: string): Promise<CompiledSlot> {
    const key = keyOf(wasm, image, slot);
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const result = this.load(key) ?? this.run(key, { wasm, image, slot, file });
    this.known.set(key, result);
    const [oldest] = this.known.keys();
    if (this.known.size > MAX_IN_MEMORY) this.known.delete(oldest!);
    result.catch(() => this.known.delete(key));
    return result;
  }

  private run(key: string, job: CompileJob): Promise<CompiledSlot> {
    const result = this.last.then(() => inThread(job));
    this.last = result.catch(() => undefined);
    return result.then((compiled) => {
      this.save(key, compiled);
      return compiled;
    });
  }

  private load(key: string): Promise<CompiledSlot> | null {
    if (this.directory === null) return null;
    try {
      const file = readFileSync(join(this.directory, key));
      const body = file.subarray(HASH_BYTES);
      if (!sha256(body).equals(file.subarray(0, HASH_BYTES))) return null;
      return Promise.resolve(decode(body) as CompiledSlot);
    } catch {
      // Not there, or damaged: it is made again.
      return null;
    }
  }

  private save(key: string, compiled: CompiledSlot): void {
    if (this.directory === null) return;
    try {
      mkdirSync(this.directory, { recursive: true });
      const file = join(this.directory, key);
      const body = encode(compiled);
      writeFileSync(`${file}.new`, Buffer.concat([sha256(body), body]));
      renameSync(`${file}.new`, file);
    } catch {
      // A full disk only costs compiling once more.
    }
  }
}

/** What the compiled code depends on: the module, the addresses it is linked against, the slot, the compiler's version. */
function keyOf(wasm: Uint8Array, image: BaseImage, slot: string): string {
  const symbols = [...image.symbols].sort(([a], [b]) => (a < b ? -1 : 1));
  const place = image.slots.find(({ name }) => name === slot);
  return createHash('sha256')
    .update(JSON.stringify([CACHE_FORMAT, ABI_VERSION, OS_ABI_VERSION, image.board.name, image.id, symbols, place]))
    .update(sha256(wasm))
    .digest('hex');
}

function inThread(job: CompileJob): Promise<CompiledSlot> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(IS_SOURCE ? LOADER : ENTRY, { workerData: job, name: 'compile', eval: IS_SOURCE });
    worker.once('message', (outcome: CompileOutcome) => {
      if ('compiled' in outcome) resolve(outcome.compiled);
      else if (outcome.failed.code === null) reject(new InternalError(outcome.failed.message));
      else reject(new DiagnosticError(outcome.failed.code, outcome.failed.message, { file: job.file }));
    });
    worker.once('error', reject);
    worker.once('exit', () => reject(new InternalError('the compiler ended without a result')));
  });
}

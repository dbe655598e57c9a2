// Where packages (.wasm with their manifests) are kept: by the SHA-256 of their bytes, so that what is there is never
// wrong and never written twice. Takes and gives bytes; knows no module.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface PackageStore {
  /** Keeps a package; gives its hash, hexadecimal. */
  put(wasm: Uint8Array): Promise<string>;
  /** Null if it is not there. */
  get(hash: string): Promise<Uint8Array | null>;
}

export const packageHash = (wasm: Uint8Array): string => createHash('sha256').update(wasm).digest('hex');

/** In a directory, or in memory only. */
export class FilePackages implements PackageStore {
  private readonly inMemory = new Map<string, Uint8Array>();

  constructor(private readonly directory: string | null) {
    if (directory !== null) mkdirSync(directory, { recursive: true });
  }

  async put(wasm: Uint8Array): Promise<string> {
    const hash = packageHash(wasm);
    if (this.directory === null) this.inMemory.set(hash, wasm);
    else if (!existsSync(this.fileOf(hash))) {
      // The name of the temporary file is its own: two edges may share a directory.
      const file = `${this.fileOf(hash)}.${process.pid}.new`;
      writeFileSync(file, wasm);
      renameSync(file, this.fileOf(hash));
    }
    return hash;
  }

  async get(hash: string): Promise<Uint8Array | null> {
    if (this.directory === null) return this.inMemory.get(hash) ?? null;
    if (!/^[0-9a-f]{64}$/.test(hash) || !existsSync(this.fileOf(hash))) return null;
    const wasm = new Uint8Array(readFileSync(this.fileOf(hash)));
    // A file that a crash has damaged is as good as none.
    return packageHash(wasm) === hash ? wasm : null;
  }

  private fileOf(hash: string): string {
    return join(this.directory!, `${hash}.wasm`);
  }
}

/** A near store in front of a far one: what has been fetched once stays here. */
export class CachedPackages implements PackageStore {
  constructor(
    private readonly near: PackageStore,
    private readonly far: PackageStore,
  ) {}

  async put(wasm: Uint8Array): Promise<string> {
    await this.near.put(wasm);
    return this.far.put(wasm);
  }

  async get(hash: string): Promise<Uint8Array | null> {
    const here = await this.near.get(hash);
    if (here !== null) return here;
    const wasm = await this.far.get(hash);
    if (wasm === null || packageHash(wasm) !== hash) return null;
    await this.near.put(wasm);
    return wasm;
  }
}

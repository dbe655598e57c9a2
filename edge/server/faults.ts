// Names and source lines for the frames of faults: from the name section and DWARF line table of the module's package.
// Takes a package's hash and frames as numbers; knows no place.
import { decodeModule } from '../../compiler/wasm/decode.js';
import { readLineTable, type LineTable } from '../../compiler/wasm/debug-line.js';
import { funcNames } from '../../compiler/wasm/types.js';
import type { FaultFrame } from '../fleet/events.js';
import type { PackageStore } from '../fleet/packages.js';

/** A frame as places tell it. */
export interface BareFrame {
  readonly func: number;
  /** Byte offset in the .wasm; 0: not known. */
  readonly offset: number;
  readonly name?: string;
}

interface Symbols {
  readonly names: readonly string[];
  readonly lines: LineTable | null;
}

/** Packages whose tables are kept: a fault loop must not read its module every time. */
const MAX_KEPT = 64;

export class FaultExplainer {
  private readonly known = new Map<string, Promise<Symbols | null>>();

  constructor(private readonly packages: PackageStore) {}

  /** @param hash of the package; empty: there is none, frames stay numbers */
  async frames(hash: string, frames: readonly BareFrame[]): Promise<FaultFrame[]> {
    const symbols = hash === '' || frames.length === 0 ? null : await this.symbols(hash);
    return frames.map(({ func, offset, name }) => {
      const line = offset === 0 ? null : (symbols?.lines?.lookup(offset) ?? null);
      const column = line === null || line.column === 0 ? '' : `:${line.column}`;
      return {
        func,
        name: name ?? symbols?.names[func] ?? `func ${func}`,
        offset,
        source: line === null ? null : `${line.file}:${line.line}${column}`,
      };
    });
  }

  private symbols(hash: string): Promise<Symbols | null> {
    let symbols = this.known.get(hash);
    if (symbols === undefined) {
      if (this.known.size >= MAX_KEPT) this.known.clear();
      symbols = this.read(hash).catch(() => null);
      this.known.set(hash, symbols);
    }
    return symbols;
  }

  private async read(hash: string): Promise<Symbols | null> {
    const wasm = await this.packages.get(hash);
    if (wasm === null) return null;
    return { names: funcNames(decodeModule(wasm)), lines: readLineTable(wasm) };
  }
}

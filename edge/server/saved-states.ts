// States of modules over a planned restart of their edge: written when it ends in order, taken once when it starts again.
// Takes placements and states; knows no module. After a crash there is none: a module then begins anew.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decode, encode } from 'cborg';
import type { Placement } from '../fleet/types.js';
import type { ModuleState } from '../host/types.js';
import { decodeState, encodeState } from '../nats/state-codec.js';

interface Saved {
  readonly epoch: number;
  readonly hash: string;
  readonly state: Uint8Array;
}

export class SavedStates {
  /** @param directory null: nothing is kept */
  constructor(private readonly directory: string | null) {}

  save(placement: Placement, state: ModuleState): void {
    if (this.directory === null) return;
    mkdirSync(this.directory, { recursive: true });
    const { epoch, hash } = placement;
    const saved: Saved = { epoch, hash, state: encodeState(state) };
    const file = this.fileOf(placement);
    writeFileSync(`${file}.new`, encode(saved), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }

  /** The state that belongs to this placement, if there is one; it is there only once. */
  take(placement: Placement): ModuleState | null {
    if (this.directory === null) return null;
    const file = this.fileOf(placement);
    if (!existsSync(file)) return null;
    const bytes = readFileSync(file);
    rmSync(file);
    try {
      const { epoch, hash, state } = decode(bytes) as Saved;
      return epoch === placement.epoch && hash === placement.hash ? decodeState(state) : null;
    } catch {
      // Damaged: as good as none.
      return null;
    }
  }

  private fileOf({ thing, module }: Placement): string {
    return join(this.directory!, `${thing}.${module}.state`);
  }
}

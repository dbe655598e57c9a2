// Slots of a device: where a package goes, how it gets there and is held there. Takes the device's functions, compiled
// packages and what is known of the modules in the slots; knows no state and no caller.
import { createHash, type KeyObject } from 'node:crypto';
import { ResponseCode } from '../../compiler/abi/os-layout.js';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { signMessage } from '../../manifest/cose.js';
import type { CompiledSlot } from './compile-job.js';
import { Refused, type DeviceApi, type SlotStatus } from './device-api.js';
import type { Resident } from './resident.js';

/** Bytes of a hash in the slot journal. */
const JOURNAL_HASH_BYTES = 16;
/** Until a module that was added shows as that. */
const SETTLE_MS = 5000;
const POLL_MS = 20;
/** Calls to a module that is to be held, of other modules of the device too, end within this time. */
export const DRAIN_MS = 9000;

/** A start may take its deadline and be tried again. */
const TRIAL_MS = 30_000;
/** State of a slot whose module has started. */
const CONFIRMED = 'confirmed';

/** A package that waits in a slot's other bank. */
export interface Successor {
  readonly hash: string;
  /** False: the bank held it already. */
  readonly uploaded: boolean;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** As the device names the contents of a bank. */
export const journalHash = (contents: Uint8Array): string =>
  createHash('sha512')
    .update(contents)
    .digest('hex')
    .slice(0, 2 * JOURNAL_HASH_BYTES);

/** Null: there is no such module. */
export async function isHeld(api: DeviceApi, module: string): Promise<boolean | null> {
  return (await api.modules()).find(({ name }) => name === module)?.held ?? null;
}

/** Stops a module between calls. @throws Refused if it is busy all the time, or cannot be held */
export async function hold(api: DeviceApi, module: string): Promise<void> {
  const end = performance.now() + DRAIN_MS;
  for (let pause = 5; ; pause = Math.min(2 * pause, 100)) {
    const code = await api.control(module, 'hold');
    if (code === ResponseCode.Changed) return;
    if (code !== ResponseCode.Conflict || performance.now() > end) throw new Refused(code, `hold ${module}`);
    await sleep(pause);
  }
}

export class Slots {
  constructor(
    private readonly api: DeviceApi,
    /** By module; those that have to go are taken out. */
    private readonly residents: Map<string, Resident>,
  ) {}

  /** Slots that a module may go to, the best first: its own from before, free ones, those that only keep code. */
  async candidates(module: string): Promise<SlotStatus[]> {
    const rank = (slot: SlotStatus): number => {
      if (slot.module === module) return slot.held ? 0 : -1;
      if (slot.module === '') return 1;
      return slot.held && this.residents.get(slot.module)?.phase === 'cached' ? 2 : -1;
    };
    const slots = await this.api.slots();
    return slots.filter((slot) => rank(slot) >= 0).sort((a, b) => rank(a) - rank(b));
  }

  /** Has the slot hold the package, added and not started. */
  async install(
    slot: SlotStatus,
    { contents, module }: CompiledSlot,
    key: KeyObject,
    epoch: number,
    progress: (fraction: number) => void,
  ): Promise<void> {
    const hash = journalHash(contents);
    // No two slots can have modules of one name.
    const twin = this.residents.get(module);
    if (twin !== undefined && twin.slot !== slot.slot) await this.evict(twin);
    if (slot.module !== '' && slot.module !== module) await this.evict(this.residents.get(slot.module)!);
    if (!slot.banks.includes(hash) || !(await this.commitCached(slot.slot, epoch, hash))) {
      await this.api.upload(slot.slot, signMessage(contents, key), progress);
      await this.api.commit(slot.slot, epoch, null);
    }
    progress(1);
    const end = performance.now() + SETTLE_MS;
    while ((await isHeld(this.api, module)) !== true) {
      if (performance.now() > end) throw new DiagnosticError('W904', `${module} does not appear on the device`);
      await sleep(POLL_MS);
    }
  }

  /** Brings the contents into the bank of a slot that does not run; what runs goes on. */
  async stage(
    slot: string,
    { contents }: CompiledSlot,
    key: KeyObject,
    progress: (fraction: number) => void,
  ): Promise<Successor> {
    const hash = journalHash(contents);
    const status = (await this.api.slots()).find((entry) => entry.slot === slot);
    const uploaded = !status?.banks.includes(hash);
    if (uploaded) await this.api.upload(slot, signMessage(contents, key), progress);
    progress(1);
    return { hash, uploaded };
  }

  /**
   * Has the device try a staged package in the place of what runs in the slot.
   * @throws DiagnosticError W904 if it is refused or does not start; then the one before runs again
   */
  async succeed(slot: string, module: string, { hash, uploaded }: Successor): Promise<void> {
    await this.api.commit(slot, null, uploaded ? null : hash);
    const end = performance.now() + TRIAL_MS;
    for (;;) {
      const status = (await this.api.slots()).find((entry) => entry.slot === slot);
      if (status?.state === CONFIRMED) {
        if (status.hash === hash) return;
        throw new DiagnosticError('W904', `the new ${module} does not start: the version before runs again`);
      }
      if (performance.now() > end) throw new DiagnosticError('W904', `the device is still trying the new ${module}`);
      await sleep(POLL_MS);
    }
  }

  private async commitCached(slot: string, epoch: number, hash: string): Promise<boolean> {
    try {
      await this.api.commit(slot, epoch, hash);
      return true;
    } catch (error) {
      // The flash has changed since.
      if (error instanceof Refused && error.answer === ResponseCode.NotFound) return false;
      throw error;
    }
  }

  private async evict(resident: Resident): Promise<void> {
    await this.api.empty(resident.slot);
    this.residents.delete(resident.module);
  }
}

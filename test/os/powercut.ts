// Power cuts: runs a scenario once and keeps the flash as each of its flash operations finds it; then, for each operation
// and for several shares of it, boots a device from the flash as the cut left it. Takes scenario and checks; counts. Knows
// no package.
import { ESP32 } from '../../compiler/abi/boards.js';
import { journalFlash } from '../../linker/slots.js';
import { FlashChip } from '../../simulator/peripherals/flash-chip.js';
import { SlotsDevice, type BuiltSlots } from './slots-device.js';

const JOURNAL = journalFlash(ESP32);
const PAGE_PROGRAM = 0x02;
const WRITE_ENABLE = 0x06;
const SECTOR_ERASE = 0x20;

export interface Cut {
  /** 1: the first flash operation. */
  readonly operation: number;
  readonly kind: 'erase' | 'program';
  /** Counts the cuts made. */
  readonly number: number;
  /** The journal was being written. */
  readonly inJournal: boolean;
  /** Share of the operation that took place. */
  readonly share: number;
  readonly device: SlotsDevice;
}

/** Before anything, in the first byte, in the middle, almost done. */
export const SHARES = [0, 0.02, 0.5, 0.97] as const;

/** What changes: from the first slot's banks to the journal. */
const firstOffset = ({ slots }: BuiltSlots): number => Math.min(...slots.map(({ flashA }) => flashA));

export interface PowerCutResult {
  readonly operations: number;
  readonly boots: number;
}

/**
 * @param start flash that the scenario begins with
 * @param scenario what is done while the power fails
 * @param chosen which cuts to make; all if left out
 * @param check called for each booted device
 */
export function cutEverywhere(
  built: BuiltSlots,
  start: Uint8Array,
  scenario: (device: SlotsDevice) => void,
  check: (cut: Cut) => void,
  chosen: (inJournal: boolean) => boolean = () => true,
): PowerCutResult {
  const from = firstOffset(built);
  const found: {
    readonly kind: Cut['kind'];
    readonly before: Uint8Array;
    readonly offset: number;
    after: Uint8Array;
  }[] = [];
  const device = new SlotsDevice(built, start).calm();
  device.machine.flashChip.onOperation = ({ kind, offset, length }) => {
    const { flash } = device.machine;
    const last = found.at(-1);
    if (last !== undefined) last.after = flash.slice(last.offset, last.offset + last.after.length);
    found.push({ kind, before: flash.slice(from), offset, after: new Uint8Array(length) });
    return undefined;
  };
  scenario(device);
  device.machine.flashChip.onOperation = undefined;
  const last = found.at(-1);
  if (last !== undefined) last.after = device.machine.flash.slice(last.offset, last.offset + last.after.length);
  let boots = 0;
  found.forEach(({ kind, before, offset, after }, i) => {
    for (const share of SHARES) {
      if (!chosen(offset >= JOURNAL)) continue;
      const flash = Uint8Array.from(start);
      flash.set(before, from);
      cutAt(flash, offset, after, kind, share);
      boots++;
      const inJournal = offset >= JOURNAL;
      check({ operation: i + 1, kind, share, number: boots, inJournal, device: new SlotsDevice(built, flash).calm() });
    }
  });
  return { operations: found.length, boots };
}

/** Lets the power fail in the middle of one operation on a flash. */
function cutAt(flash: Uint8Array, offset: number, after: Uint8Array, kind: Cut['kind'], share: number): void {
  const chip = new FlashChip({ array: flash, seconds: () => 0, cacheEnabled: () => false, changed: () => undefined });
  chip.onOperation = () => share;
  chip.execute(WRITE_ENABLE, 0, new Uint8Array(), 0);
  // Programming what came out gives what came out.
  chip.execute(kind === 'erase' ? SECTOR_ERASE : PAGE_PROGRAM, offset, kind === 'erase' ? new Uint8Array() : after, 0);
}

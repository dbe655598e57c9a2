// Connects download mode to a simulated machine: flash and registers, the ROM words that
// tools read. Refuses to know the protocol.
import type { Machine } from '../machine.js';
import { CpuException, MachineStop } from '../stop.js';
import type { DownloadTarget } from './download-protocol.js';

/** Word of the mask ROM by which esptool tells an ESP32. */
const CHIP_DETECT_ADDRESS = 0x40001000;
const CHIP_DETECT_ESP32 = 0x00f01d83;

/** The strict bus knows no such register. */
const isRefusal = (error: unknown): boolean => error instanceof MachineStop || error instanceof CpuException;

export function downloadTarget(machine: Machine): DownloadTarget {
  /** Registers that no peripheral models: what tools wrote there, else 0, as a chip at rest mostly shows. */
  const others = new Map<number, number>();
  return {
    flash: machine.flash,
    readRegister(address) {
      if (address === CHIP_DETECT_ADDRESS) return CHIP_DETECT_ESP32;
      try {
        return machine.bus.load32(address) >>> 0;
      } catch (error) {
        if (!isRefusal(error)) throw error;
        return others.get(address) ?? 0;
      }
    },
    writeRegister(address, value) {
      try {
        machine.bus.store32(address, value | 0);
      } catch (error) {
        if (!isRefusal(error)) throw error;
        others.set(address, value);
      }
    },
    flashWritten: () => machine.loadFlash(new Uint8Array(), 0),
  };
}

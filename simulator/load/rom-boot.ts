// What the mask ROM does at reset, without its code: reports the reset, reads the image at flash 0x1000, copies RAM
// segments, arms the boot watchdogs and leaves the CPU in the state the entry point finds. Takes a loader's view of the
// machine; knows no peripheral registers.

import { IMAGE_FLASH_OFFSET } from '../../compiler/abi/boards.js';
import type { CpuState } from '../cpu/state.js';
import { PS, SR } from '../cpu/state.js';
import { hex32 } from '../stop.js';
import { ImageError, parseImage } from './image.js';

/** Reset causes and their names as the ROM prints them. Source: esp-idf rom/rtc.h. */
export const RESET_CAUSES: ReadonlyMap<number, string> = new Map([
  [1, 'POWERON_RESET'],
  [3, 'SW_RESET'],
  [4, 'OWDT_RESET'],
  [5, 'DEEPSLEEP_RESET'],
  [6, 'SDIO_RESET'],
  [7, 'TG0WDT_SYS_RESET'],
  [8, 'TG1WDT_SYS_RESET'],
  [9, 'RTCWDT_SYS_RESET'],
  [10, 'INTRUSION_RESET'],
  [11, 'TGWDT_CPU_RESET'],
  [12, 'SW_CPU_RESET'],
  [13, 'RTCWDT_CPU_RESET'],
  [14, 'EXT_CPU_RESET'],
  [15, 'RTCWDT_BROWN_OUT_RESET'],
  [16, 'RTCWDT_RTC_RESET'],
]);

export const POWER_ON = 1;

/** The ROM's stack pointer when it calls the entry point. */
const ROM_STACK = 0x3ffe3f20;
/** A return address inside the ROM: returning there stops the simulator, since the ROM's code is not modelled. */
const ROM_RETURN = 0x40007c54;

export interface BootTarget {
  readonly flash: Uint8Array;
  readonly state: CpuState;
  /** Copies a segment; false when the address range is no loadable RAM. */
  loadRam(address: number, data: Uint8Array): boolean;
  log(text: string): void;
}

/**
 * @returns the entry point
 * @throws ImageError when the ROM would not start the image; what it would print has been logged
 */
export function bootFromRom(target: BootTarget, cause: number): number {
  const { log } = target;
  log('ets Jun  8 2016 00:22:57\r\n\r\n');
  log(`rst:0x${cause.toString(16)} (${RESET_CAUSES.get(cause) ?? 'UNKNOWN'}),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n`);
  try {
    const image = parseImage(target.flash, IMAGE_FLASH_OFFSET);
    for (const segment of image.segments) {
      log(`load:${hex32(segment.address)},len:${segment.data.length}\r\n`);
      // Segments for the flash windows stay in flash; the ROM skips what is no RAM at all.
      if (isFlashWindow(segment.address)) continue;
      if (!target.loadRam(segment.address, segment.data)) {
        throw new ImageError(`segment at ${hex32(segment.address)} does not fit into RAM`);
      }
    }
    log(`entry ${hex32(image.entry)}\r\n`);
    setCpu(target.state);
    return image.entry;
  } catch (error) {
    if (error instanceof ImageError) log(`${error.message}\r\nets_main.c 371 \r\n`);
    throw error;
  }
}

function isFlashWindow(address: number): boolean {
  return (address >= 0x3f400000 && address < 0x3f800000) || (address >= 0x400c2000 && address < 0x40c00000);
}

/**
 * The ROM is windowed code that has called the entry point with CALLX8: windows enabled, frames of its callers live.
 * Start-up code must not count on a clean window state.
 */
function setCpu(state: CpuState): void {
  const { sr } = state;
  state.setWindowBase(4);
  sr[SR.WINDOWSTART] = 0b10101;
  sr[SR.PS] = PS.WOE | PS.UM | (2 << PS.CALLINC_SHIFT);
  sr[SR.VECBASE] = 0x40000000;
  state.a[0] = (2 << 30) | (ROM_RETURN & 0x3fffffff);
  state.a[1] = ROM_STACK;
}

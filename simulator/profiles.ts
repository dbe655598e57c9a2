// Simulated CPU configurations as data: which parts of the instruction set exist, and whether unaligned accesses work.
// And the memory of QEMU's `sim` machine, to run
// the same programs on. Knows no semantics.

import type { BoardDescription } from '../compiler/abi/boards.js';
import { ESP32 } from '../compiler/abi/boards.js';
import type { IsaFeature } from '../backend-xtensa/isa/types.js';

export interface CpuProfile {
  readonly name: string;
  readonly features: ReadonlySet<IsaFeature>;
  /** Unaligned data accesses work in hardware instead of raising LoadStoreAlignment. */
  readonly unaligned: boolean;
}

const ESP32_FEATURES: readonly IsaFeature[] = [
  'core',
  'density',
  'windowed',
  'loop',
  'mul16',
  'mul32',
  'mul32high',
  'div32',
  'mac16',
  'minmax',
  'sext',
  'nsa',
  'clamps',
  'boolean',
  'fp',
  'fpstep',
  's32c1i',
  'sync',
  'exception',
  'interrupt',
  'debug',
  'tlb',
  'userregister',
  'externalregs',
  'simcall',
];

/** The chip: LX6 as Espressif configured it. */
export const ESP32_CPU: CpuProfile = { name: 'esp32', features: new Set(ESP32_FEATURES), unaligned: true };

/** QEMU's `-cpu de233_fpu`, to compare with: no MULUH/MULSH, no unaligned accesses. */
export const DE233_FPU_CPU: CpuProfile = {
  name: 'de233_fpu',
  features: new Set(ESP32_FEATURES.filter((feature) => feature !== 'mul32high')),
  unaligned: false,
};

export const CPU_PROFILES: ReadonlyMap<string, CpuProfile> = new Map([
  [ESP32_CPU.name, ESP32_CPU],
  [DE233_FPU_CPU.name, DE233_FPU_CPU],
]);

/** Where QEMU's `sim` machine with that CPU starts. */
export const QEMU_RESET_VECTOR = 0xfe000000;

/** RAM of QEMU's `sim` machine as far as our programs use it; its MMU maps every address to itself after reset. */
export const QEMU_SIM_BOARD: BoardDescription = {
  ...ESP32,
  name: 'qemu-sim',
  description: "RAM as in QEMU's sim machine, no peripherals; for comparing",
  regions: [
    { name: 'RAM', base: 0, size: 0x800000, kind: 'ram', executable: true, wordOnly: false },
    { name: 'RESET', base: QEMU_RESET_VECTOR, size: 0x2000, kind: 'ram', executable: true, wordOnly: false },
  ],
};

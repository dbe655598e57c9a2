// The CPU interrupt lines of an ESP32 core as configured: level and type of each of the 32. Data only.
// Source: core-isa.h of the ESP32 overlay (XCHAL_INTn_LEVEL, XCHAL_INTn_TYPE).

/** Level of CPU interrupt n. */
export const INTERRUPT_LEVEL: readonly number[] = [
  1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 1, 1, 7, 3, 5, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 3, 4, 3, 4, 5,
];

/** Numbers of the CCOMPARE0-2 interrupts. */
export const TIMER_INTERRUPTS: readonly number[] = [6, 15, 16];

const bits = (...numbers: number[]): number => numbers.reduce((mask, n) => mask | (1 << n), 0);

/** Latched on an edge of the line, cleared by INTCLEAR. */
export const EDGE_MASK = bits(10, 22, 28, 30);
/** Set by INTSET, cleared by INTCLEAR. */
export const SOFTWARE_MASK = bits(7, 29);
export const TIMER_MASK = bits(...TIMER_INTERRUPTS);
/** Non-maskable: INTENABLE does not matter. */
export const NMI_MASK = bits(14);
/** Lines that internal sources own: the interrupt matrix cannot drive them. */
export const INTERNAL_MASK = TIMER_MASK | SOFTWARE_MASK | bits(11);

/** Interrupts of each level, as masks; index is the level. */
export const LEVEL_MASKS: readonly number[] = Array.from({ length: 8 }, (_, level) =>
  INTERRUPT_LEVEL.reduce((mask, l, n) => (l === level ? mask | (1 << n) : mask), 0),
);

/** Offset of the vector of an interrupt or debug level from VECBASE; index is the level. */
export const LEVEL_VECTORS: readonly number[] = [0, 0, 0x180, 0x1c0, 0x200, 0x240, 0x280, 0x2c0];

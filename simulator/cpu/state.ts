// The architectural state of one LX6 core as typed arrays, with the register numbers and PS fields that have behaviour.
// Takes and gives numbers; knows no instruction, no memory and no peripheral.

/** Special register numbers with behaviour of their own (ISA reference, section 5.3). */
export const SR = {
  LBEG: 0,
  LEND: 1,
  LCOUNT: 2,
  SAR: 3,
  BR: 4,
  SCOMPARE1: 12,
  ACCLO: 16,
  ACCHI: 17,
  M0: 32,
  WINDOWBASE: 72,
  WINDOWSTART: 73,
  IBREAKENABLE: 96,
  MEMCTL: 97,
  ATOMCTL: 99,
  DBREAKC0: 160,
  CONFIGID0: 176,
  EPC1: 177,
  CONFIGID1: 208,
  DEPC: 192,
  EPS2: 194,
  CPENABLE: 224,
  INTERRUPT: 226,
  INTCLEAR: 227,
  INTENABLE: 228,
  PS: 230,
  VECBASE: 231,
  EXCCAUSE: 232,
  DEBUGCAUSE: 233,
  CCOUNT: 234,
  PRID: 235,
  ICOUNTLEVEL: 237,
  EXCVADDR: 238,
  CCOMPARE0: 240,
} as const;

/** User register numbers. */
export const UR = { THREADPTR: 231, FCR: 232, FSR: 233 } as const;

/** Fields of PS. */
export const PS = {
  INTLEVEL: 0xf,
  EXCM: 1 << 4,
  UM: 1 << 5,
  RING_SHIFT: 6,
  OWB_SHIFT: 8,
  OWB: 0xf << 8,
  CALLINC_SHIFT: 16,
  CALLINC: 3 << 16,
  WOE: 1 << 18,
} as const;

/** Levels up to this one are masked while PS.EXCM is set. */
export const EXCM_LEVEL = 3;
export const DEBUG_LEVEL = 6;

/** EXCCAUSE values LX6 can raise (ISA reference, table 4-64). */
export const Cause = {
  ILLEGAL_INSTRUCTION: 0,
  SYSCALL: 1,
  INSTRUCTION_FETCH_ERROR: 2,
  LOAD_STORE_ERROR: 3,
  LEVEL1_INTERRUPT: 4,
  ALLOCA: 5,
  DIVIDE_BY_ZERO: 6,
  PRIVILEGED: 8,
  UNALIGNED: 9,
  FETCH_PROHIBITED: 20,
  LOAD_PROHIBITED: 28,
  STORE_PROHIBITED: 29,
  COPROCESSOR0_DISABLED: 32,
} as const;

const CAUSE_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(Cause).map(([name, value]) => [value, name.toLowerCase().replaceAll('_', ' ')]),
);

/** Name of an EXCCAUSE for messages. */
export function causeName(cause: number): string {
  return CAUSE_NAMES.get(cause) ?? `exception cause ${cause}`;
}

/** Number of physical address registers. */
export const PHYSICAL_ARS = 64;
/** Number of window panes (PHYSICAL_ARS / 4). */
export const PANES = PHYSICAL_ARS / 4;

export class CpuState {
  /** The 16 registers visible through the current window; `physical` holds stale copies of them. */
  readonly a = new Int32Array(16);
  readonly physical = new Int32Array(PHYSICAL_ARS);
  readonly sr = new Int32Array(256);
  readonly ur = new Int32Array(256);
  /** f0-f15 as bits, and the same storage as floats. Moves must use the bits: a float read may quiet a NaN. */
  readonly frBits = new Int32Array(16);
  readonly fr = new Float32Array(this.frBits.buffer);
  /** [instructions completed, cycles]. */
  readonly counts = new Float64Array(2);
  /** Unsigned. */
  pc = 0;

  /** Moves the window to another base; the visible registers follow. */
  setWindowBase(base: number): void {
    const from = (this.sr[SR.WINDOWBASE] as number) * 4;
    const to = (base & (PANES - 1)) * 4;
    for (let i = 0; i < 16; i++) this.physical[(from + i) % PHYSICAL_ARS] = this.a[i] as number;
    for (let i = 0; i < 16; i++) this.a[i] = this.physical[(to + i) % PHYSICAL_ARS] as number;
    this.sr[SR.WINDOWBASE] = base & (PANES - 1);
  }

  /** Value of a physical address register, visible or not. */
  physicalRegister(index: number): number {
    const offset = (index - (this.sr[SR.WINDOWBASE] as number) * 4 + PHYSICAL_ARS) % PHYSICAL_ARS;
    return (offset < 16 ? this.a[offset] : this.physical[index]) as number;
  }

  /** State after a hardware reset (ISA reference, 4.4.3.2); counters keep running. */
  reset(): void {
    this.a.fill(0);
    this.physical.fill(0);
    this.sr.fill(0);
    this.ur.fill(0);
    this.frBits.fill(0);
    this.sr[SR.PS] = PS.INTLEVEL | PS.EXCM;
    this.sr[SR.WINDOWSTART] = 1;
    this.sr[SR.VECBASE] = 0x40000000;
    this.sr[SR.MEMCTL] = 1;
    this.sr[SR.ATOMCTL] = 0x28;
    this.sr[SR.CONFIGID0] = 0xc2bcfffe | 0;
    this.sr[SR.CONFIGID1] = 0x1cc5fe96;
    this.sr[SR.PRID] = 0xcdcd;
    this.pc = 0x40000400;
  }
}

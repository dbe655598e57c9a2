// The bare program around single-instruction cases: for each it loads the whole processor state from a block of memory,
// enters the case's code by RFE, and stores the whole state back into the block when the code raises any exception (its
// exits are SYSCALLs). Takes cases, gives memory parts. Knows no instruction under test and neither machine.

import { assemble } from '../../../backend-xtensa/isa/assemble.js';
import type { BareProgram, MemoryPart, ProgramPair } from './bare.js';
import { RESET_VECTOR } from './bare.js';

const VECTORS = 0x20000000;
const HARNESS = VECTORS + 0x1000;
export const CODE_BASE = 0x20010000;
export const BLOCK_BASE = 0x20800000;
const RAM_BYTES = 0x2000000;

/** A block: data that accesses may touch, state before, state after. */
export const DATA_BYTES = 128;
const BEFORE = DATA_BYTES;
/** Special and user registers of the state, in the order they are loaded; `ps`, `windowstart`, `windowbase` go last. */
const SPECIAL: readonly string[] = [
  ...['sar', 'br', 'lbeg', 'lend', 'lcount', 'scompare1', 'acclo', 'acchi', 'm0', 'm1', 'm2', 'm3'],
  ...['exccause', 'excvaddr', 'depc', 'epc1', 'epc2', 'eps2', 'epc6', 'excsave1', 'misc0'],
  ...['fcr', 'fsr', 'threadptr', 'ps', 'windowstart', 'windowbase'],
];
const USER = new Set(['fcr', 'fsr', 'threadptr']);
export const STATE_NAMES: readonly string[] = [
  ...Array.from({ length: 16 }, (_, i) => `a${i}`),
  ...Array.from({ length: 16 }, (_, i) => `f${i}`),
  ...SPECIAL,
];
const STATE_BYTES = 4 * STATE_NAMES.length;
const AFTER = BEFORE + STATE_BYTES;
/** Offset of the vector the case left through; DEBUGCAUSE follows. */
const VECTOR = AFTER + STATE_BYTES;
export const BLOCK_BYTES = 640;
const INDEX = new Map(STATE_NAMES.map((name, i) => [name, i]));

export const PS_EXCM = 0x10;
const DEBUG_VECTOR = 0x280;

/** What a case's registers are before it; the rest is 0. */
export type State = Map<string, number>;

export interface Case {
  /** What the report calls it, e.g. a mnemonic. */
  readonly name: string;
  /** Assembly with a label `start`; every way out is a `syscall`. Register aN starts as the address of a label `in_aN`. */
  readonly text: string;
  /** Registers by name. */
  readonly state: State;
  readonly data: Uint8Array;
}

/** Memory that the n-th case of a run may access. */
export const dataAddress = (n: number): number => BLOCK_BASE + n * BLOCK_BYTES;

const specials = (access: 'load' | 'store'): string => {
  const line = (name: string): string => {
    const offset = (access === 'load' ? BEFORE : AFTER) + 4 * (INDEX.get(name) as number);
    const [read, write] = USER.has(name) ? ['rur', 'wur'] : ['rsr', 'wsr'];
    if (access === 'store') return `${read} a1, ${name}; s32i a1, a0, ${offset}`;
    return `l32i a1, a0, ${offset}; ${write} a1, ${name}`;
  };
  return SPECIAL.map(line).join('\n');
};

const registers = (verb: string, file: string, base: number, from: number): string =>
  Array.from({ length: 16 - from }, (_, i) => {
    const name = `${file}${from + i}`;
    return `${verb} ${name}, a0, ${base + 4 * (INDEX.get(name) as number)}`;
  }).join('\n');

const clear = Array.from({ length: 16 }, (_, i) => `movi a${i}, 0`).join('; ');

/** The whole time PS.EXCM is set, so that neither windows nor loops interfere. */
const harnessText = (count: number): string => `
    .align 4
    first: .word ${BLOCK_BASE - BLOCK_BYTES}
    end: .word ${BLOCK_BASE + count * BLOCK_BYTES}
    blocks: .word ${BLOCK_BASE}
    size: .word ${count * BLOCK_BYTES}
    vectors: .word ${VECTORS}
    step: .word ${BLOCK_BYTES}
    begin:
    l32r a0, vectors; wsr a0, vecbase
    movi a0, 1; wsr a0, cpenable; rsync
    l32r a0, first; wsr a0, excsave2
    next:
    movi a0, ${PS_EXCM}; wsr a0, ps; rsync
    movi a0, 4; wsr a0, windowbase; rsync; ${clear}
    wsr a0, windowbase; rsync; ${clear}
    rsr a0, excsave2; l32r a1, step; add a0, a0, a1; wsr a0, excsave2
    l32r a1, end; bne a0, a1, 1f; j finish; 1:
    ${registers('lsi', 'f', BEFORE, 0)}
    ${specials('load')}
    rsync
    rsr a0, excsave2
    ${registers('l32i', 'a', BEFORE, 1)}
    l32i a0, a0, ${BEFORE}
    rfe
    save:
    wsr a0, excsave4
    rsr a0, excsave2
    ${registers('s32i', 'a', AFTER, 1)}
    rsr a1, excsave3; s32i a1, a0, ${AFTER}
    rsr a1, excsave4; s32i a1, a0, ${VECTOR}
    rsr a1, debugcause; s32i a1, a0, ${VECTOR + 4}
    ${registers('ssi', 'f', AFTER, 0)}
    ${specials('store')}
    j next
    finish:
    movi a2, 4; movi a3, 1; l32r a4, blocks; l32r a5, size; simcall
    movi a2, 1; movi a3, 0; simcall; 1: j 1b`;

const VECTOR_OFFSETS = [0, 0x40, 0x80, 0xc0, 0x100, 0x140, 0x180, 0x1c0, 0x200, 0x240, DEBUG_VECTOR, 0x2c0, 0x300, 0x340, 0x3c0]; // prettier-ignore

/** Before it starts, QEMU's machine must get the ESP32's ways: nothing at address 0, S32C1I on RAM without caches. */
const RESET = (begin: number): string => `
    j 1f
    .align 4
    start: .word ${begin}
    1: movi a2, 6; movi a3, 12; wdtlb a3, a2; dsync
    movi a2, 0x15; wsr a2, atomctl
    l32r a0, start; jx a0`;
const RESET_SIMULATED = (begin: number): string => `
    j 1f
    .align 4
    start: .word ${begin}
    1: l32r a0, start; jx a0`;

/** Programs that differ in what each machine's reset code has to do. */
export function makeProgram(cases: readonly Case[]): ProgramPair {
  const harness = assemble(harnessText(cases.length), { origin: HARNESS });
  const label = (name: string): number => harness.labels.get(name) as number;
  const vectors = new Uint8Array(0x400);
  for (const offset of VECTOR_OFFSETS) {
    const text = `wsr a0, excsave3; movi a0, ${offset}; j save`;
    const symbols = new Map([['save', label('save')]]);
    vectors.set(assemble(text, { origin: VECTORS + offset, symbols }).bytes, offset);
  }
  const blocks = new Uint8Array(cases.length * BLOCK_BYTES);
  const view = new DataView(blocks.buffer);
  const code: Uint8Array[] = [];
  let pc = CODE_BASE;
  cases.forEach((item, n) => {
    const { bytes, labels } = assemble(`.align 4\n${item.text}`, { origin: pc });
    code.push(bytes);
    pc += bytes.length;
    const block = n * BLOCK_BYTES;
    blocks.set(item.data, block);
    const set = (name: string, value: number): void => {
      const index = INDEX.get(name);
      if (index === undefined) throw new Error(`no register ${name}`);
      view.setInt32(block + BEFORE + 4 * index, value, true);
    };
    set('windowstart', 1 << (item.state.get('windowbase') ?? 0));
    for (const [name, value] of item.state) set(name, value);
    for (const [name, address] of labels) if (name.startsWith('in_')) set(name.slice(3), address);
    set('epc1', labels.get('start') as number);
    set('ps', (item.state.get('ps') ?? 0) | PS_EXCM);
  });
  const shared: MemoryPart[] = [
    { address: VECTORS, data: vectors },
    { address: HARNESS, data: harness.bytes },
    { address: CODE_BASE, data: Buffer.concat(code) },
    { address: BLOCK_BASE, data: blocks },
  ];
  const program = (reset: string): BareProgram => ({
    parts: [{ address: RESET_VECTOR, data: assemble(reset, { origin: RESET_VECTOR }).bytes }, ...shared],
    ram: [{ base: VECTORS, size: RAM_BYTES }],
    qemuMegabytes: 1024,
  });
  const begin = label('begin');
  return { qemu: program(RESET(begin)), simulator: program(RESET_SIMULATED(begin)), begin };
}

/** State words of one block that differ, as `name qemu / simulator`. */
export function differences(theirs: Uint8Array, ours: Uint8Array): string[] {
  const [a, b] = [theirs, ours].map((x) => new DataView(x.buffer, x.byteOffset, x.byteLength)) as [DataView, DataView];
  const out: string[] = [];
  const compare = (name: string, offset: number): void => {
    const [x, y] = [a.getUint32(offset, true), b.getUint32(offset, true)];
    if (x !== y) out.push(`${name} ${hex(x)} / ${hex(y)}`);
  };
  for (let offset = 0; offset < DATA_BYTES; offset += 4) compare(`[${offset}]`, offset);
  // The simulator has no floating-point status flags; reading and writing FSR shows in address registers.
  STATE_NAMES.forEach((name, i) => {
    if (name !== 'fsr') compare(name, AFTER + 4 * i);
  });
  compare('vector', VECTOR);
  // DEBUGCAUSE keeps its last value otherwise.
  if (a.getUint32(VECTOR, true) === DEBUG_VECTOR) compare('debugcause', VECTOR + 4);
  return out;
}

/** The state before, for reports. */
export function describeBefore(item: Case): string {
  return [...item.state].map(([name, value]) => `${name}=${hex(value >>> 0)}`).join(' ');
}

const hex = (value: number): string => value.toString(16).padStart(8, '0');

// The bare program that runs linked images of ours without their chip: it makes the mailbox calls of a list, one after
// the other, and writes out how each ended. Its exception vectors stand before the image's own: they do MULUH, MULSH and
// unaligned accesses, which QEMU's core lacks, by hand. Takes an image and calls, gives a program for either machine.

import { assemble } from '../../../backend-xtensa/isa/assemble.js';
import { RT_MAILBOX } from '../../../compiler/abi/layout.js';
import { LinkerSymbol, RuntimeSymbol } from '../../../compiler/abi/linker-symbols.js';
import type { BareProgram, MemoryPart, ProgramPair } from './bare.js';
import { RESET_VECTOR } from './bare.js';

/** Linear memories go here; any address that is RAM on both machines does. */
export const EXTERNAL = { base: 0x50000000, end: 0x53000000 };
const CALLS = 0x53000000;
const OUTPUT = 0x53400000;
/** Free for data that calls bring along. */
export const INPUT = 0x53800000;
/** A function (target, source, bytes) for calls that write memory. */
export const COPY = RESET_VECTOR + 0x1800;
const RAM = [
  { base: 0x3f400000, size: 0x800000 },
  { base: 0x3ffae000, size: 0x52000 },
  { base: 0x40070000, size: 0x52000 },
  { base: 0x400c2000, size: 0x33e000 },
  { base: EXTERNAL.base, size: 0x4000000 },
];
const VECTORS = RESET_VECTOR + 0x1000;
/** Registers of the interrupted code, then SAR, then the two cursors. */
const STATE = RESET_VECTOR + 0x10000;
const SAR = 64;
const NEXT_CALL = 68;
const NEXT_OUTPUT = 72;

const F = RT_MAILBOX.offset;
const CALL_WORDS = (F.result_count - F.entry) / 4 + 1;
/** What is kept of each call: the mailbox. */
export const RECORD_BYTES = RT_MAILBOX.size;

/** A linked image: what to load, and where its symbols are. */
export interface SupervisedImage {
  readonly parts: readonly MemoryPart[];
  /** @throws Error if there is no such symbol */
  readonly address: (symbol: string) => number;
}

export interface ImageCall {
  readonly entry: number;
  readonly args: readonly number[];
  readonly resultWords: number;
}

export interface MemoryRange {
  readonly address: number;
  readonly length: number;
}

/** 1:1 emulation of instructions; `done` adds a2 to the pc, honouring a zero-overhead loop's end. */
const EMULATION = `
    illegal: # 0x?2rst0: op2 10 is MULUH, 11 MULSH
    l8ui a5, a2, 2; extui a6, a3, 0, 4; bnez a6, other
    movi a6, 0xa2; beq a5, a6, 1f; movi a6, 0xb2; bne a5, a6, other
    1: l32r a1, state
    extui a8, a4, 0, 4; addx4 a8, a8, a1; l32i a8, a8, 0
    extui a9, a3, 4, 4; addx4 a9, a9, a1; l32i a9, a9, 0
    extui a10, a8, 16, 16; extui a11, a9, 16, 16
    mul16u a12, a8, a9; mul16u a13, a8, a11; mul16u a14, a10, a9; mul16u a15, a10, a11
    extui a12, a12, 16, 16; extui a6, a13, 0, 16; add a12, a12, a6; extui a6, a14, 0, 16; add a12, a12, a6
    extui a12, a12, 16, 16; add a15, a15, a12
    extui a13, a13, 16, 16; add a15, a15, a13; extui a14, a14, 16, 16; add a15, a15, a14
    movi a6, 0xa2; beq a5, a6, 2f
    srai a6, a8, 31; and a6, a6, a9; sub a15, a15, a6
    srai a6, a9, 31; and a6, a6, a8; sub a15, a15, a6
    2: extui a6, a4, 4, 4; addx4 a6, a6, a1; s32i a15, a6, 0
    movi a2, 3; j done

    other: j pass
    unaligned: # by the low nibble (a5): 2 wide, 3 float, 8 and 9 narrow; EXCVADDR is the address
    rsr a7, excvaddr; extui a5, a3, 0, 4; extui a6, a4, 4, 4; extui a8, a3, 4, 4
    l32r a1, state; addx4 a9, a8, a1
    movi a2, 2
    beqi a5, 8, load4; movi a10, 9; beq a5, a10, store4
    movi a2, 3
    beqi a5, 3, float
    bnei a5, 2, other
    beqi a6, 2, load4; beqi a6, 6, store4; beqi a6, 5, store2; beqi a6, 1, load2
    movi a10, 9; bne a6, a10, other
    l8ui a10, a7, 0; l8ui a11, a7, 1; slli a11, a11, 8; or a10, a10, a11; sext a10, a10, 15; s32i a10, a9, 0; j done
    load2: l8ui a10, a7, 0; l8ui a11, a7, 1; slli a11, a11, 8; or a10, a10, a11; s32i a10, a9, 0; j done
    load4: call0 gather; s32i a10, a9, 0; j done
    store2: l32i a10, a9, 0; s8i a10, a7, 0; srli a10, a10, 8; s8i a10, a7, 1; j done
    store4: l32i a10, a9, 0; call0 scatter; j done
    float: beqz a6, 1f; beqi a6, 4, 2f; j pass
    2: l32r a11, reads; addx8 a11, a8, a11; callx0 a11; call0 scatter; j done
    1: call0 gather; l32r a11, writes; addx8 a11, a8, a11; callx0 a11; j done
    .align 4
    gather: l8ui a10, a7, 0; l8ui a11, a7, 1; slli a11, a11, 8; or a10, a10, a11
    l8ui a11, a7, 2; slli a11, a11, 16; or a10, a10, a11; l8ui a11, a7, 3; slli a11, a11, 24; or a10, a10, a11; ret
    .align 4
    scatter: s8i a10, a7, 0; srli a11, a10, 8; s8i a11, a7, 1; extui a11, a10, 16, 16; s8i a11, a7, 2
    extui a11, a10, 24, 8; s8i a11, a7, 3; ret
    .align 8
    read_table:
    ${Array.from({ length: 16 }, (_, i) => `rfr a10, f${i}; ret; .space 2`).join('\n')}
    write_table:
    ${Array.from({ length: 16 }, (_, i) => `wfr f${i}, a10; ret; .space 2`).join('\n')}

    done: rsr a3, epc1; add a3, a3, a2
    rsr a4, lend; bne a3, a4, 1f; rsr a5, lcount; beqz a5, 1f
    addi a5, a5, -1; wsr a5, lcount; rsr a3, lbeg
    1: wsr a3, epc1
    call0 restore
    l32i a0, a1, 0; wsr a0, excsave3; l32i a0, a1, 4; mov a1, a0; rsr a0, excsave3; rfe`;

const COPY_TEXT = `
    beqz a4, 2f
    1: l8ui a5, a3, 0; s8i a5, a2, 0; addi a2, a2, 1; addi a3, a3, 1; addi a4, a4, -1; bnez a4, 1b
    2: ret`;

interface Addresses {
  readonly mailbox: number;
  readonly runMailbox: number;
  readonly exceptionEntry: number;
  readonly callsEnd: number;
  readonly ranges: number;
  readonly rangesEnd: number;
}

const supervisorText = (at: Addresses): string => `
    .align 4
    state: .word ${STATE}
    vectors: .word ${VECTORS}
    calls: .word ${CALLS}
    calls_end: .word ${at.callsEnd}
    output: .word ${OUTPUT}
    mailbox: .word ${at.mailbox}
    run_mailbox: .word ${at.runMailbox}
    exception_entry: .word ${at.exceptionEntry}
    ranges: .word ${at.ranges}
    ranges_end: .word ${at.rangesEnd}
    reads: .word read_table
    writes: .word write_table
    begin:
    movi a0, ${0x10}; wsr a0, ps; rsync
    movi a0, 0; wsr a0, windowbase; rsync; wsr a0, intenable; movi a0, 1; wsr a0, windowstart; wsr a0, cpenable; rsync
    movi a0, 0; wur a0, fcr; wur a0, fsr; wsr a0, lcount; l32r a0, vectors; wsr a0, vecbase; rsync
    l32r a1, state; l32r a2, calls; s32i a2, a1, ${NEXT_CALL}; l32r a2, output; s32i a2, a1, ${NEXT_OUTPUT}
    next_call:
    l32r a1, state; l32i a2, a1, ${NEXT_CALL}; l32r a3, calls_end; bne a2, a3, 1f; j finish
    1: l32r a3, mailbox; addi a3, a3, ${F.entry}; movi a4, ${CALL_WORDS}
    2: l32i a5, a2, 0; s32i a5, a3, 0; addi a2, a2, 4; addi a3, a3, 4; addi a4, a4, -1; bnez a4, 2b
    s32i a2, a1, ${NEXT_CALL}
    l32r a0, run_mailbox; jx a0

    exception: # a0 in EXCSAVE2
    l32r a0, state
    ${Array.from({ length: 15 }, (_, i) => `s32i a${i + 1}, a0, ${4 * (i + 1)}`).join('; ')}
    rsr a1, excsave2; s32i a1, a0, 0; rsr a1, sar; s32i a1, a0, ${SAR}
    rsr a2, epc1; rsr a7, exccause
    beqi a7, 1, idle
    beqz a7, 1f; movi a6, 9; bne a7, a6, pass
    1: l8ui a3, a2, 0; l8ui a4, a2, 1
    beqz a7, illegal; j unaligned
    pass:
    call0 restore
    l32i a0, a1, 0; wsr a0, excsave1; l32i a0, a1, 4; mov a1, a0; l32r a0, exception_entry; jx a0
    .align 4
    restore: # all but a0 and a1, which holds the state
    l32r a1, state; l32i a2, a1, ${SAR}; wsr a2, sar
    ${Array.from({ length: 14 }, (_, i) => `l32i a${i + 2}, a1, ${4 * (i + 2)}`).join('; ')}
    ret

    idle:
    l32r a1, state; l32i a2, a1, ${NEXT_OUTPUT}
    l32r a3, mailbox; movi a4, ${RT_MAILBOX.size / 4}
    1: l32i a5, a3, 0; s32i a5, a2, 0; addi a2, a2, 4; addi a3, a3, 4; addi a4, a4, -1; bnez a4, 1b
    s32i a2, a1, ${NEXT_OUTPUT}
    j next_call
    finish:
    l32r a6, ranges; l32r a7, ranges_end
    1: beq a6, a7, 2f; movi a2, 4; movi a3, 1; l32i a4, a6, 0; l32i a5, a6, 4; simcall; addi a6, a6, 8; j 1b
    2: movi a2, 1; movi a3, 0; simcall; 3: j 3b
    unexpected: movi a2, 1; movi a3, 99; simcall; 1: j 1b
    ${EMULATION}`;

/** QEMU's core has RAM at address 0: taken away, null pointers fault as on the chip. */
const NO_PAGE_ZERO = 'movi a2, 6; movi a3, 12; wdtlb a3, a2; dsync';

/**
 * @param calls made one after the other
 * @param ranges of memory to write out afterwards
 */
export function supervise(
  image: SupervisedImage,
  calls: readonly ImageCall[],
  ranges: readonly MemoryRange[],
): ProgramPair & { readonly outputBytes: number } {
  const mailbox = image.address(RuntimeSymbol.Mailbox);
  const records = new Int32Array(calls.length * CALL_WORDS);
  calls.forEach((call, i) => {
    const at = i * CALL_WORDS;
    records[at] = call.entry;
    records[at + 1] = call.args.length;
    records.set(call.args, at + 2);
    records[at + CALL_WORDS - 1] = call.resultWords;
  });
  const all = [{ address: OUTPUT, length: calls.length * RECORD_BYTES }, ...ranges];
  const rangeWords = Uint32Array.from(all.flatMap(({ address, length }) => [address, length]));
  const rangesAt = CALLS + records.byteLength;
  const addresses: Addresses = {
    mailbox,
    runMailbox: image.address(RuntimeSymbol.RunMailbox),
    exceptionEntry: image.address('rt_exception_entry'),
    callsEnd: rangesAt,
    ranges: rangesAt,
    rangesEnd: rangesAt + rangeWords.byteLength,
  };
  const supervisor = assemble(supervisorText(addresses), { origin: RESET_VECTOR + 0x2000 });
  const label = (name: string): number => supervisor.labels.get(name) as number;
  const vectors = new Uint8Array(0x400);
  for (const offset of [0x180, 0x1c0, 0x200, 0x240, 0x280, 0x2c0, 0x300, 0x340, 0x3c0]) {
    const known = offset === 0x300 || offset === 0x340;
    const text = known ? 'wsr a0, excsave2; j exception' : 'j unexpected';
    vectors.set(assemble(text, { origin: VECTORS + offset, symbols: supervisor.labels }).bytes, offset);
  }
  const parts: MemoryPart[] = image.parts.map(({ address, data }) => ({ address, data: data.slice() }));
  const poke = (address: number, data: Uint8Array): void => {
    for (const part of parts) {
      const offset = address - part.address;
      if (offset >= 0 && offset + data.length <= part.data.length) return part.data.set(data, offset);
    }
    parts.push({ address, data });
  };
  // An idle processor calls the supervisor; the fault handler learns of the modules, as boot would tell it.
  poke(image.address(RuntimeSymbol.Idle), assemble('syscall').bytes);
  const [start, end] = [LinkerSymbol.ModulesStart, LinkerSymbol.ModulesEnd].map(image.address) as [number, number];
  poke(mailbox + F.modules, new Uint8Array(Uint32Array.of(start, (end - start) / 4).buffer));
  parts.push(
    { address: CALLS, data: new Uint8Array(records.buffer) },
    { address: rangesAt, data: new Uint8Array(rangeWords.buffer) },
    { address: VECTORS, data: vectors },
    { address: COPY, data: assemble(COPY_TEXT, { origin: COPY }).bytes },
    { address: RESET_VECTOR + 0x2000, data: supervisor.bytes },
  );
  const program = (reset: string): BareProgram => {
    const text = `j 1f; .align 4; start: .word ${label('begin')}; 1: ${reset}; l32r a0, start; jx a0`;
    const entry = { address: RESET_VECTOR, data: assemble(text, { origin: RESET_VECTOR }).bytes };
    return { parts: [entry, ...parts], ram: RAM, qemuMegabytes: 2048 };
  };
  const outputBytes = all.reduce((sum, { length }) => sum + length, 0);
  return { qemu: program(NO_PAGE_ZERO), simulator: program('nop'), begin: label('begin'), outputBytes };
}

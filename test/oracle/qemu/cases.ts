// Cases for the instruction table: which code and which state before shows what a row does, with random and extreme
// operands. Takes a row and a source of numbers; gives cases, or the reason why there can be none. Knows no machine.

import { SPECIAL_REGISTERS } from '../../../backend-xtensa/isa/special-registers.js';
import type { InstructionRow, OperandSpec } from '../../../backend-xtensa/isa/types.js';
import { Random } from '../../../simulator/fuzz/random-program.js';
import type { Case, State } from './harness.js';
import { DATA_BYTES, dataAddress } from './harness.js';

const PS_UM = 0x20;
const PS_WOE = 1 << 18;

/** Rows that this oracle cannot judge, and why. */
export const WITHOUT_ORACLE: ReadonlyMap<string, string> = new Map([
  ['muluh', 'not in the de233_fpu core; in programs, against 16-bit products'],
  ['mulsh', 'not in the de233_fpu core; in programs, against 16-bit products'],
  ['simcall', 'the harness itself: semihosting there, illegal on the chip'],
  ['lddr32.p', "a debugger's instruction, refused by the simulator"],
  ['sddr32.p', "a debugger's instruction, refused by the simulator"],
  ['waiti', 'waits for an interrupt; the two interrupt maps have nothing in common'],
  ['rer', 'external registers differ by chip'],
  ['wer', 'external registers differ by chip'],
  ...['ritlb0', 'iitlb', 'pitlb', 'witlb', 'ritlb1', 'rdtlb0', 'idtlb', 'pdtlb', 'wdtlb', 'rdtlb1'].map(
    (name) => [name, 'an MMU there, region protection here'] as const,
  ),
  ['recip0.s', 'QEMU computes 1/x instead of the table'],
  ['rsqrt0.s', 'QEMU computes 1/sqrt(x) instead of the table'],
]);

/** Rows that are judged by what a whole division or square root gives: QEMU does the work in one of them. */
export const BY_SEQUENCE: ReadonlySet<string> = new Set([
  ...['div0.s', 'nexp01.s', 'maddn.s', 'mkdadj.s', 'mksadj.s', 'addexp.s', 'addexpm.s', 'divn.s', 'sqrt0.s'],
]);

/** Special registers whose contents both cores have and that the harness does not need. */
const COMPARABLE_SPECIAL: readonly string[] = [
  ...['lbeg', 'lend', 'lcount', 'sar', 'br', 'scompare1', 'acclo', 'acchi', 'm0', 'm1', 'm2', 'm3'],
  ...['epc1', 'epc2', 'epc3', 'epc4', 'epc5', 'epc6', 'epc7', 'depc', 'excsave1', 'excsave5', 'excsave6', 'excsave7'],
  ...['eps2', 'eps3', 'eps4', 'eps5', 'eps6', 'eps7', 'exccause', 'excvaddr', 'misc0', 'misc1', 'windowstart'],
];

/** Bits that a register has on both. */
const WRITABLE: ReadonlyMap<string, number> = new Map([
  ['lcount', 0xff],
  ['exccause', 0x3f],
  ['windowstart', 0xff],
  ['br', 0xffff],
  ...['eps2', 'eps3', 'eps4', 'eps5', 'eps6', 'eps7'].map((name) => [name, 0x70f3f] as const),
]);

export class CaseMaker {
  constructor(private readonly random: Random) {}

  /** The n-th case of a run, of `row`. */
  make(row: InstructionRow, n: number): Case {
    if (BY_SEQUENCE.has(row.name)) return this.sequence(row);
    const { name } = row;
    const special = this.special(row);
    if (special !== undefined) return special;
    switch (row.flow) {
      case 'next':
        return this.plain(row, n);
      case 'branch':
        return this.branch(row);
      case 'loop':
        return this.loop(row);
      default:
        throw new Error(`no cases for ${name}`);
    }
  }

  private get flags(): number {
    const { random } = this;
    return (random.below(2) * PS_UM) | (random.below(2) * PS_WOE) | (random.below(4) << 16) | (random.below(16) << 8);
  }

  /** Everything random. */
  private state(): State {
    const { random } = this;
    const state: State = new Map();
    for (let i = 0; i < 16; i++) state.set(`a${i}`, random.word());
    for (let i = 0; i < 16; i++) state.set(`f${i}`, this.float());
    state.set('sar', random.below(33));
    state.set('br', random.below(0x10000));
    for (const name of ['scompare1', 'acclo', 'm0', 'm1', 'm2', 'm3', 'threadptr', 'excsave1', 'misc0']) {
      state.set(name, random.word());
    }
    state.set('acchi', random.below(256) - 128);
    state.set('fcr', random.below(2) * random.below(4));
    state.set('ps', this.flags);
    state.set('windowbase', random.below(5));
    return state;
  }

  /** Bits of a float: near each other often enough, and every kind of extreme. */
  private float(): number {
    const { random } = this;
    switch (random.below(8)) {
      case 0:
        return random.pick([0, 0x80000000, 0x7f800000, 0xff800000, 0x7fc00000, 0x00800000, 0x7f7fffff]) | 0;
      case 1:
        return (random.bits() & 0x807fffff) | 0;
      case 2:
        return random.pick([0x3f800000, 0x4f000000, 0xcf000000, 0x4f800000, 0x3f000000, 0xbf800000, 0x4effffff]) | 0;
      case 3:
        // A NaN with a payload, quiet or signalling.
        return (random.bits() & 0x807fffff) | 0x7f800000 | (random.below(2) << 22);
      default:
        return random.word();
    }
  }

  private case(row: InstructionRow, text: string, state: State): Case {
    const data = new Uint8Array(DATA_BYTES);
    const view = new DataView(data.buffer);
    for (let i = 0; i < DATA_BYTES; i += 4) view.setInt32(i, this.random.word(), true);
    return { name: row.name, text, state, data };
  }

  private operand(spec: OperandSpec): number {
    const { random } = this;
    const { field } = spec;
    const [low, high] = [field.minimum(0), field.maximum(0)];
    for (;;) {
      const value =
        spec.kind === 'ar' || spec.kind === 'fr' || spec.kind === 'br' || spec.kind === 'mr'
          ? random.below(16)
          : random.below(8) === 0
            ? random.pick([low, high])
            : low + random.below(high - low + 1);
      if (field.fits(value, 0)) return value;
    }
  }

  private operands(row: InstructionRow): number[] {
    return row.operands.map((spec) => (spec.kind === 'pcrel' ? 0 : this.operand(spec)));
  }

  private plain(row: InstructionRow, n: number): Case {
    const state = this.state();
    const operands = this.operands(row);
    if (row.access !== undefined) this.aim(row, operands, state, n);
    // Once in a while the window below is full: any register above a3 may overflow then.
    else if (this.random.below(8) === 0) this.crowd(state);
    return this.case(row, `start: ${textOf(row, operands)}\nsyscall`, state);
  }

  /** Frames in the panes above, where the next three look. */
  private crowd(state: State): void {
    const base = this.random.below(2);
    state.set('windowbase', base);
    state.set('windowstart', (1 << base) | (this.random.below(256) & (0xfe << base) & 0xff));
  }

  /** Makes the address registers point into the case's data, now and then beside it or off its alignment. */
  private aim(row: InstructionRow, operands: number[], state: State, n: number): void {
    const { random } = this;
    const at = row.operands.findIndex((spec) => spec.name === 'as' && spec.kind === 'ar');
    const index = row.operands.findIndex((spec) => spec.name === 'at' && spec.kind === 'ar');
    const immediate = row.operands.findIndex((spec) => spec.kind === 'uimm' || spec.kind === 'simm');
    const width = row.access?.bytes ?? 4;
    let target = dataAddress(n) + width * random.below(DATA_BYTES / width);
    // Not both: which of two faults wins cannot be seen on the chip, where any alignment works.
    const mode = random.below(12);
    // Nor a faulting S32C1I, whose cause is a load's here and a store's there.
    if (row.feature === 's32c1i') target &= ~3;
    else if (mode === 0) target += random.below(4);
    else if (mode === 1) target = 4 * random.below(0x400);
    let offset = 0;
    if (/^[ls]sxp?$/.test(row.name)) {
      // The base and the index must be two registers.
      while (operands[index] === operands[at]) operands[index] = random.below(16);
      offset = random.pick([0, 4, -4, 64, -0x8000, random.word() & ~3]);
      state.set(`a${operands[index]}`, offset);
      if (row.name.endsWith('p')) offset = 0;
    } else if (row.name.endsWith('inc')) offset = 4;
    else if (row.name.endsWith('dec')) offset = -4;
    else if (immediate >= 0 && !/^[ls]sip$/.test(row.name)) offset = operands[immediate] as number;
    state.set(`a${operands[at]}`, (target - offset) | 0);
    if (row.feature === 's32c1i' && random.below(2) === 0) {
      const word = random.word();
      state.set('scompare1', word);
    }
  }

  private branch(row: InstructionRow): Case {
    const { random } = this;
    const state = this.state();
    const operands = this.operands(row);
    const registers = row.operands.flatMap((spec, i) => (spec.kind === 'ar' ? [operands[i] as number] : []));
    // Near misses and hits: the second register or the constant close to the first.
    if (random.below(2) === 0) {
      const [first, second] = registers;
      const constant = row.operands.findIndex((spec) => spec.kind === 'simm' || spec.kind === 'uimm');
      const other =
        second !== undefined ? (state.get(`a${second}`) as number) : constant >= 0 ? (operands[constant] as number) : 0;
      if (first !== undefined) state.set(`a${first}`, (other + random.below(3) - 1) | 0);
    }
    if (random.below(8) === 0) this.crowd(state);
    const forwardOnly = row.name.endsWith('.n');
    const back = !forwardOnly && random.below(2) === 0;
    const text = textOf(row, operands, back ? '1b' : '1f');
    const far = `.space ${random.below(10) * 3}`;
    return this.case(row, back ? `1: syscall\n${far}\nstart: ${text}\nsyscall` : `start: ${text}\nsyscall\n${far}\n1: syscall`, state); // prettier-ignore
  }

  private loop(row: InstructionRow): Case {
    const { random } = this;
    const state = this.state();
    const counter = random.below(8);
    const few = { loop: [1, 2, 9], loopnez: [0, 1, 7], loopgtz: [0, -1, -0x80000000, 1, 5] }[row.name] ?? [1];
    state.set(`a${counter}`, random.pick(few));
    const body = random.pick(['addi.n a9, a9, 1', 'add a9, a9, a10; xor a10, a10, a9', 'addi a9, a9, 3; bltz a9, 1f; addi.n a8, a8, 1']); // prettier-ignore
    const leave = random.below(3) === 0 ? 'beqi a9, 5, 2f' : '';
    return this.case(row, `start: loop${row.name.slice(4)} a${counter}, 1f\n${body}\n${leave}\n1: syscall\n2: syscall`, state); // prettier-ignore
  }

  /** Rows that need code around them; undefined for all others. */
  private special(row: InstructionRow): Case | undefined {
    const { random } = this;
    const state = this.state();
    const { name } = row;
    const at = (text: string): Case => this.case(row, text, state);
    const windows = (): void => {
      state.set('ps', (state.get('ps') as number) | PS_WOE);
    };
    switch (name) {
      case 'l32r':
        return at(`1: .word ${random.word() | 0}, ${random.word() | 0}\nstart: l32r a${random.below(16)}, 1b\nsyscall`);
      case 'ill':
      case 'ill.n':
      case 'syscall':
        return at(`start: ${name}\nsyscall`);
      case 'break':
        return at(`start: break ${random.below(16)}, ${random.below(16)}\nsyscall`);
      case 'break.n':
        return at(`start: break.n ${random.below(16)}\nsyscall`);
      case 'j':
        return at(random.below(2) === 0 ? `1: syscall\nstart: j 1b` : `start: j 1f\nsyscall\n.space 300\n1: syscall`);
      case 'jx': {
        const register = random.below(16);
        return at(`start: jx a${register}\nsyscall\nin_a${register}: syscall`);
      }
      case 'call0':
      case 'call4':
      case 'call8':
      case 'call12':
        if (name !== 'call0') windows();
        if (random.below(4) === 0) this.crowd(state);
        return at(`.align 4\n1: syscall\n.align 4\nstart: ${name} ${random.pick(['1b', '2f'])}\nsyscall\n.align 4\n2: syscall`); // prettier-ignore
      case 'callx0':
      case 'callx4':
      case 'callx8':
      case 'callx12': {
        if (name !== 'callx0') windows();
        if (random.below(4) === 0) this.crowd(state);
        const register = random.below(16);
        return at(`start: ${name} a${register}\nsyscall\nin_a${register}: syscall`);
      }
      case 'ret':
      case 'ret.n':
        return at(`start: ${name}\nsyscall\n.space ${random.below(9)}\nin_a0: syscall`);
      case 'entry':
        windows();
        state.set('windowbase', random.below(2));
        if (random.below(2) === 0) this.crowd(state);
        return at(`start: entry a${random.below(4)}, ${8 * random.below(4096)}\nsyscall`);
      case 'retw':
      case 'retw.n': {
        windows();
        state.set('windowbase', 3);
        state.set('windowstart', 8 | random.below(8));
        // The return address carries the size of the window it goes back by.
        const increment = 1 + random.below(3);
        const go = `l32r a0, 1b; movi a1, ${increment}; slli a1, a1, 30; or a0, a0, a1`;
        return at(`1: .word 2f\nstart: ${go}; ${name}\nsyscall\n2: syscall`);
      }
      case 'movsp':
        windows();
        state.set('windowbase', 3);
        state.set('windowstart', 8 | random.below(8));
        return at(`start: movsp a${random.below(16)}, a${random.below(16)}\nsyscall`);
      case 'rotw':
        state.set('windowbase', 2);
        return at(`start: rotw ${random.below(5) - 2}\nsyscall`);
      case 'rfe':
        return at(`1: .word 2f\nstart: l32r a2, 1b; wsr a2, epc1; rsync; rfe\nsyscall\n2: syscall`);
      case 'rfde':
        return at(`1: .word 2f\nstart: l32r a2, 1b; wsr a2, depc; rsync; rfde\nsyscall\n2: syscall`);
      case 'rfwo':
      case 'rfwu': {
        windows();
        state.set('windowbase', random.below(5));
        state.set('windowstart', random.below(256) | (1 << (state.get('windowbase') as number)));
        state.set('ps', ((state.get('ps') as number) & ~0xf00 & ~PS_WOE) | (random.below(5) << 8));
        return at(`1: .word 2f\nstart: l32r a2, 1b; wsr a2, epc1; rsync; ${name}\nsyscall\n2: syscall`);
      }
      case 'rfi': {
        const level = 2 + random.below(6);
        state.set(
          'a3',
          (random.below(2) * PS_UM) | (random.below(4) << 16) | (random.below(16) << 8) | random.below(2),
        );
        state.set('ps', (state.get('ps') as number) & ~PS_WOE);
        return at(`1: .word 2f\nstart: l32r a2, 1b; wsr a2, epc${level}; wsr a3, eps${level}; rsync; rfi ${level}\nsyscall\n2: syscall`); // prettier-ignore
      }
      case 'rsil':
        return at(`start: rsil a${random.below(16)}, ${random.below(6)}\nsyscall`);
      case 'rsr':
      case 'wsr':
      case 'xsr':
        return this.specialRegister(row, state);
      case 'rur':
      case 'wur': {
        const which = random.pick(['threadptr', 'fcr', 'fsr']);
        const mask = { threadptr: -1, fcr: 0x7f, fsr: 0xf80 }[which] as number;
        const [from, to] = [random.below(16), random.below(16)];
        state.set(`a${from}`, random.word() & mask);
        return at(`start: wur a${from}, ${which}; rur a${to}, ${which}\nsyscall`);
      }
      default:
        return undefined;
    }
  }

  private specialRegister(row: InstructionRow, state: State): Case {
    const { random } = this;
    const name = random.pick(COMPARABLE_SPECIAL);
    const entry = SPECIAL_REGISTERS.find((register) => register.name === name);
    if (entry === undefined) throw new Error(`no special register ${name}`);
    const [from, to] = [random.below(8), random.below(8)];
    let value = random.word() & (WRITABLE.get(name) ?? -1);
    // A frame must be where the window is; no other one may be in the way of these registers.
    if (name === 'windowstart') value |= 1 << (state.get('windowbase') as number);
    state.set('ps', (state.get('ps') as number) & ~PS_WOE);
    state.set(`a${from}`, value);
    const text =
      row.name === 'xsr'
        ? `xsr a${from}, ${name}; rsync; xsr a${from}, ${name}; rsync; rsr a${to}, ${name}`
        : `wsr a${from}, ${name}; rsync; rsr a${to}, ${name}`;
    return this.case(row, `start: ${text}\nsyscall`, state);
  }

  /** A division or a square root as the runtime does it; the registers of the steps between are cleared. */
  private sequence(row: InstructionRow): Case {
    const divide = row.name !== 'sqrt0.s' && row.name !== 'mksadj.s' && (row.name === 'div0.s' || this.random.below(2) === 0); // prettier-ignore
    const root = !divide && row.name !== 'mkdadj.s';
    const state = this.state();
    state.set('fcr', 0);
    const rest = Array.from({ length: 8 }, (_, i) => `const.s f${i + 1}, 0`).join('; ');
    // What is not a number has no defined bits.
    const canonical = 'un.s b0, f0, f0; bf b0, 1f; const.s f0, 0; 1: movi a2, 0; wur a2, fsr';
    return this.case(row, `start: ${root ? SQUARE_ROOT : DIVISION}\n${rest}\n${canonical}\nsyscall`, state);
  }
}

/** f0 = f1 / f2, by the sequence of the ISA reference. */
const DIVISION = `
    div0.s f3, f2; nexp01.s f4, f2; const.s f5, 1; maddn.s f5, f4, f3; mov.s f6, f3; mov.s f7, f2; nexp01.s f2, f1
    maddn.s f6, f5, f6; const.s f5, 1; const.s f0, 0; neg.s f8, f2; maddn.s f5, f4, f6; maddn.s f0, f8, f3
    mkdadj.s f7, f1; maddn.s f6, f5, f6; maddn.s f8, f4, f0; const.s f3, 1; maddn.s f3, f4, f6; maddn.s f0, f8, f6
    neg.s f2, f2; maddn.s f6, f3, f6; maddn.s f2, f4, f0; addexpm.s f0, f7; addexp.s f6, f7; divn.s f0, f2, f6`;

/** f0 = sqrt(f1), likewise. */
const SQUARE_ROOT = `
    sqrt0.s f2, f1; const.s f3, 0; maddn.s f3, f2, f2; nexp01.s f4, f1; const.s f0, 3; addexp.s f4, f0
    maddn.s f0, f3, f4; nexp01.s f3, f1; neg.s f5, f3; maddn.s f2, f0, f2; const.s f0, 0; const.s f6, 0
    const.s f7, 0; maddn.s f0, f5, f2; maddn.s f6, f2, f4; const.s f4, 3; maddn.s f7, f4, f2; maddn.s f3, f0, f0
    maddn.s f4, f6, f2; neg.s f2, f7; maddn.s f0, f3, f2; maddn.s f7, f4, f7; mksadj.s f2, f1; nexp01.s f1, f1
    maddn.s f1, f0, f0; neg.s f3, f7; addexpm.s f0, f2; addexp.s f3, f2; divn.s f0, f1, f3`;

const PREFIX = { ar: 'a', fr: 'f', br: 'b', mr: 'm', simm: '', uimm: '', sr: '', ur: '', pcrel: '' } as const;

function textOf(row: InstructionRow, operands: readonly number[], target = ''): string {
  const words = row.operands.map((spec, i) => (spec.kind === 'pcrel' ? target : `${PREFIX[spec.kind]}${operands[i]}`));
  return `${row.name} ${words.join(', ')}`;
}

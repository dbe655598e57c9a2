// MAC16: 16-bit multiplies into the 40-bit accumulator, with optional load of the next operand. Builds its handlers
// from the mnemonics' own parts, so no row is spelled out twice. Source: ISA reference, 4.3.7.

import type { DecodedOp } from './decoded.js';
import type { Handler } from './handlers.js';
import type { Core } from './core.js';
import { SR } from './state.js';

const TWO32 = 2 ** 32;
const TWO40 = 2 ** 40;

/** Half of a 32-bit operand: sign-extended, or zero-extended for umul. */
function half(value: number, high: boolean, signed: boolean): number {
  const bits = high ? value >>> 16 : value & 0xffff;
  return signed ? (bits << 16) >> 16 : bits;
}

function accumulator(core: Core): number {
  const { sr } = core.state;
  return (sr[SR.ACCHI] as number) * TWO32 + ((sr[SR.ACCLO] as number) >>> 0);
}

/** Stores the low 40 bits of an exact sum; ACCHI holds its 8 bits sign-extended. */
function setAccumulator(core: Core, value: number): void {
  const wrapped = ((value % TWO40) + TWO40) % TWO40;
  core.state.sr[SR.ACCLO] = (wrapped % TWO32) | 0;
  core.state.sr[SR.ACCHI] = (Math.floor(wrapped / TWO32) << 24) >> 24;
}

/** Reads a multiplier operand: `a` an address register, `d` one of m0-m3. */
function operand(core: Core, kind: string, number: number): number {
  return (kind === 'a' ? core.state.a[number] : core.state.sr[SR.M0 + number]) as number;
}

function multiply(name: string): Handler {
  // e.g. mula.da.hl.ldinc
  const [operation, kinds, halves, load] = name.split('.') as [string, string, string, string | undefined];
  const signed = operation !== 'umul';
  const [firstKind, secondKind] = [kinds[0] as string, kinds[1] as string];
  const [firstHigh, secondHigh] = [halves[0] === 'h', halves[1] === 'h'];
  const product = (core: Core, x: number, y: number): number =>
    half(operand(core, firstKind, x), firstHigh, signed) * half(operand(core, secondKind, y), secondHigh, signed);
  const accumulate = (core: Core, value: number): void => {
    if (operation === 'mula') setAccumulator(core, accumulator(core) + value);
    else if (operation === 'muls') setAccumulator(core, accumulator(core) - value);
    else setAccumulator(core, value);
  };
  if (load === undefined) {
    return (core, op) => {
      accumulate(core, product(core, op.o0, op.o1));
      return op.next;
    };
  }
  // Operands: mw, as, mx, my/at. The product uses the old mw; the load comes first only where it may fault.
  return (core, op) => {
    const step = load === 'ldinc' ? 4 : -4;
    const address = ((core.state.a[op.o1] as number) + step) | 0;
    const loaded = core.bus.load32(address);
    accumulate(core, product(core, op.o2, op.o3));
    core.state.a[op.o1] = address;
    core.state.sr[SR.M0 + op.o0] = loaded;
    return op.next;
  };
}

function loadOnly(step: number): Handler {
  return (core: Core, op: DecodedOp) => {
    const address = ((core.state.a[op.o1] as number) + step) | 0;
    core.state.sr[SR.M0 + op.o0] = core.bus.load32(address);
    core.state.a[op.o1] = address;
    return op.next;
  };
}

function names(): string[] {
  const list: string[] = [];
  for (const halves of ['ll', 'hl', 'lh', 'hh']) {
    list.push(`umul.aa.${halves}`);
    for (const kinds of ['aa', 'ad', 'da', 'dd']) {
      for (const operation of ['mul', 'mula', 'muls']) list.push(`${operation}.${kinds}.${halves}`);
    }
    for (const kinds of ['da', 'dd']) list.push(`mula.${kinds}.${halves}.lddec`, `mula.${kinds}.${halves}.ldinc`);
  }
  return list;
}

export const MAC16_HANDLERS: Readonly<Record<string, Handler>> = {
  ...Object.fromEntries(names().map((name) => [name, multiply(name)])),
  ldinc: loadOnly(4),
  lddec: loadOnly(-4),
};

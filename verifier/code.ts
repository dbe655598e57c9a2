// Takes the bytes of one function, gives its instructions and basic blocks; refuses what module code may never contain.
// Knows no data flow and no addresses outside of the function.
import { decodeAt } from '../backend-xtensa/isa/decode.js';
import { formatInstruction } from '../backend-xtensa/isa/print.js';
import { isPrivileged } from '../backend-xtensa/isa/special-registers.js';
import { Op } from '../backend-xtensa/isa/table.js';
import type { DecodedInstruction, IsaFeature } from '../backend-xtensa/isa/types.js';
import type { Image, ModuleFunction } from './image.js';
import { asJump, windowSiteAt, type WindowSite } from './windows.js';

/** Something the verifier cannot accept, at an instruction. */
export interface Violation {
  readonly address: number;
  /** Assembly text, or what is there instead of an instruction. */
  readonly instruction: string;
  readonly reason: string;
}

export interface Block {
  readonly index: number;
  /** First instruction and the one after the last. */
  readonly first: number;
  end: number;
}

export interface Code {
  readonly func: ModuleFunction;
  readonly instructions: readonly DecodedInstruction[];
  readonly addresses: Int32Array;
  /** Instruction that begins at a byte offset from the start, or -1. */
  readonly at: Int32Array;
  readonly blocks: readonly Block[];
  /** Block that begins with an instruction, or -1. */
  readonly blockOf: Int32Array;
  /** For the first instruction after zero-overhead loops' bodies: those bodies' first instructions. */
  readonly loopBack: ReadonlyMap<number, readonly number[]>;
  /**
   * First instructions of those loops' bodies that count reliably: entered only by their loop instruction, without calls
   * (which may use the loop registers) and other loop instructions inside.
   */
  readonly simpleLoops: ReadonlySet<number>;
  /** Some word of the pool is the address of an instruction. */
  readonly hasJumpTable: boolean;
  /** Sequences that ask for a grant window, by instruction; each is one jump here, and control cannot enter it elsewhere. */
  readonly windows: ReadonlyMap<number, WindowSite>;
  /** The same by the instruction at which they go on. */
  readonly windowEnds: ReadonlyMap<number, readonly WindowSite[]>;
}

const ALLOWED: ReadonlySet<IsaFeature> = new Set<IsaFeature>([
  'core',
  'density',
  'loop',
  'mul16',
  'mul32',
  'mul32high',
  'div32',
  'minmax',
  'sext',
  'nsa',
  'clamps',
  'boolean',
  'fp',
  'fpstep',
]);
/** SAR and BR: everything else would let a module change how the processor runs other code (LEND, for one). */
const OWN_REGISTERS: ReadonlySet<number> = new Set([3, 4]);

const PADDING: ReadonlySet<number> = new Set([Op.NOP, Op.NOP_N]);
const ENDS_FLOW: ReadonlySet<string> = new Set(['jump', 'jumpreg', 'return', 'trap']);

/** Why module code may not contain the instruction, or null. */
function forbidden(inst: DecodedInstruction): string | null {
  const { row, operands, opcode } = inst;
  const register = row.operands.findIndex(({ kind }) => kind === 'sr');
  if (register >= 0) {
    if (isPrivileged(inst)) return 'privileged instruction';
    return OWN_REGISTERS.has(operands[register]!) ? null : 'access to a special register that is not the module’s';
  }
  if (isPrivileged(inst)) return 'privileged instruction';
  if (!ALLOWED.has(row.feature)) return `instruction of a feature that module code must not use (${row.feature})`;
  if (opcode === Op.CALL4 || opcode === Op.CALLX4) return 'windowed call';
  return null;
}

export function textOf(code: Code, index: number): string {
  return formatInstruction(code.instructions[index]!, code.addresses[index]! >>> 0);
}

/** Instructions in order, every byte of the function taken. Violations end the function's verification. */
export function decodeFunction(image: Image, func: ModuleFunction): Code | Violation[] {
  const segment = image.segmentAt(func.start);
  const bytes = segment?.bytes.subarray(func.start - segment.address, func.start - segment.address + func.size);
  if (bytes === undefined || bytes.length !== func.size)
    return [{ address: func.start, instruction: '', reason: 'the function is not in the file' }];
  const instructions: DecodedInstruction[] = [];
  const addresses: number[] = [];
  const at = new Int32Array(func.size + 1).fill(-1);
  const windows = new Map<number, WindowSite>();
  const violations: Violation[] = [];
  for (let offset = 0; offset < func.size;) {
    const address = func.start + offset;
    const inst = decodeAt(bytes, offset, address);
    const site = inst?.opcode === Op.WSR ? windowSiteAt(image, func, bytes, offset, address) : null;
    if (site !== null) {
      at[offset] = instructions.length;
      windows.set(instructions.length, site);
      instructions.push(asJump(site, address));
      addresses.push(address);
      offset += site.size;
      continue;
    }
    if (inst === undefined) {
      const byte = bytes[offset]!.toString(16).padStart(2, '0');
      violations.push({ address, instruction: `.byte 0x${byte}`, reason: 'no instruction of LX6' });
      return violations;
    }
    const reason = forbidden(inst);
    if (reason !== null) violations.push({ address, instruction: formatInstruction(inst, address), reason });
    at[offset] = instructions.length;
    instructions.push(inst);
    addresses.push(address);
    offset += inst.row.size;
  }
  if (violations.length > 0) return violations;
  return divide(image, func, instructions, Int32Array.from(addresses), at, windows);
}

/** Instructions of other code, one after the other, whatever they are; null if some bytes are none, or branches lead out of it. */
export function decodeAll(image: Image, start: number, size: number): DecodedInstruction[] | null {
  const segment = image.segmentAt(start);
  if (segment === null || size === 0) return null;
  const bytes = segment.bytes.subarray(start - segment.address, start - segment.address + size);
  const instructions: DecodedInstruction[] = [];
  for (let offset = 0; offset < size;) {
    const inst = offset < bytes.length ? decodeAt(bytes, offset, start + offset) : undefined;
    if (inst === undefined) return null;
    const target = inst.row.flow === 'next' ? start : targetOf(inst, start + offset);
    if (inst.row.flow !== 'call' && target >= 0 && (target < start || target > start + size)) return null;
    instructions.push(inst);
    offset += inst.row.size;
  }
  return instructions;
}

/** The operand that is a displacement, as an address. */
export function targetOf(inst: DecodedInstruction, address: number): number {
  const { operands } = inst.row;
  for (let i = 0; i < operands.length; i++)
    if (operands[i]!.kind === 'pcrel') return (address + inst.operands[i]!) >>> 0;
  return -1;
}

function divide(
  image: Image,
  func: ModuleFunction,
  instructions: readonly DecodedInstruction[],
  addresses: Int32Array,
  at: Int32Array,
  windows: ReadonlyMap<number, WindowSite>,
): Code {
  const leader = new Uint8Array(instructions.length);
  leader[0] = 1;
  const loopBack = new Map<number, number[]>();
  const mark = (address: number): boolean => {
    const offset = address - func.start;
    if (offset < 0 || offset >= func.size || at[offset]! < 0) return false;
    leader[at[offset]!] = 1;
    return true;
  };
  for (let i = 0; i < instructions.length; i++) {
    const inst = instructions[i]!;
    const { flow } = inst.row;
    if (flow === 'next') continue;
    if (flow === 'branch' || flow === 'jump' || flow === 'loop') mark(targetOf(inst, addresses[i]! >>> 0));
    if (flow === 'loop') {
      const end = targetOf(inst, addresses[i]! >>> 0) - func.start;
      if (end > 0 && end < func.size && at[end]! >= 0)
        loopBack.set(at[end]!, [...(loopBack.get(at[end]!) ?? []), i + 1]);
    }
    if (flow !== 'call' && flow !== 'callreg' && i + 1 < instructions.length) leader[i + 1] = 1;
  }
  let hasJumpTable = false;
  // Jump tables: every word of the pool that could be a place in this function starts a block; harmless if it is none.
  for (let address = func.poolStart & ~3; address + 4 <= func.start; address += 4) {
    const word = image.word(address);
    if (word !== null && mark(word)) hasJumpTable = true;
  }
  const blocks: Block[] = [];
  const blockOf = new Int32Array(instructions.length).fill(-1);
  for (let i = 0; i < instructions.length; i++) {
    if (leader[i] === 1) {
      blockOf[i] = blocks.length;
      blocks.push({ index: blocks.length, first: i, end: i + 1 });
    } else {
      blocks[blocks.length - 1]!.end = i + 1;
    }
  }
  const windowEnds = new Map<number, WindowSite[]>();
  for (const site of windows.values()) {
    const end = at[site.end - func.start] ?? -1;
    if (end >= 0) windowEnds.set(end, [...(windowEnds.get(end) ?? []), site]);
  }
  const code = { func, instructions, addresses, at, blocks, blockOf, loopBack, hasJumpTable, windows, windowEnds };
  return { ...code, simpleLoops: findSimpleLoops(code, image) };
}

type Sources = ReadonlyMap<number, readonly number[]>;

/** By instruction: the branches and jumps that lead to it. */
function sourcesOf({ func, instructions, addresses, at }: Undivided): Sources {
  const sources = new Map<number, number[]>();
  for (let i = 0; i < instructions.length; i++) {
    const { flow } = instructions[i]!.row;
    if (flow !== 'branch' && flow !== 'jump') continue;
    const target = at[targetOf(instructions[i]!, addresses[i]! >>> 0) - func.start] ?? -1;
    const list = sources.get(target);
    if (list === undefined) sources.set(target, [i]);
    else list.push(i);
  }
  return sources;
}

/** Instructions from which control comes to `place`, looked at through jumps that nothing falls into; -1: anywhere. */
function origins(code: Undivided, sources: Sources, place: number): number[] {
  const { instructions, windows } = code;
  if (code.hasJumpTable || isFallenInto(code, sources, place)) return [-1];
  return (sources.get(place) ?? []).flatMap((i) => {
    if (instructions[i]!.row.flow === 'branch') return [i];
    return windows.has(i) || isFallenInto(code, sources, i) ? [-1] : (sources.get(i) ?? []);
  });
}

/** Can control come to instruction `i` from the one before? Not from behind a jump, over padding that nobody jumps to. */
function isFallenInto({ instructions }: Undivided, sources: Sources, i: number): boolean {
  let before = i - 1;
  while (before >= 0 && PADDING.has(instructions[before]!.opcode) && !sources.has(before)) before--;
  return before < 0 || !ENDS_FLOW.has(instructions[before]!.row.flow);
}

type Undivided = Omit<Code, 'simpleLoops'>;

function findSimpleLoops(code: Undivided, image: Image): Set<number> {
  const { func, instructions, addresses, at, loopBack, windows } = code;
  const simple = new Set<number>();
  if (loopBack.size === 0) return simple;
  const sources: Sources = windows.size > 0 ? sourcesOf(code) : new Map();
  const bodies = [...loopBack].flatMap(([end, firsts]) => firsts.map((first) => ({ first, end })));
  /** Bodies whose loop instruction is not the only way in. */
  const entered = new Set<number>();
  const jumpTo = (from: number, address: number): void => {
    const offset = address - func.start;
    const target = offset >= 0 && offset < func.size ? at[offset]! : -1;
    for (const { first, end } of bodies)
      if (target >= first && target < end && (from < first || from >= end || target === first)) entered.add(first);
  };
  for (let i = 0; i < instructions.length; i++) {
    const { flow } = instructions[i]!.row;
    if (flow !== 'branch' && flow !== 'jump') continue;
    const target = targetOf(instructions[i]!, addresses[i]! >>> 0);
    // A loop's check that asks for a window comes back to where it left the loop.
    for (const from of windows.has(i) ? origins(code, sources, i) : [i]) jumpTo(from, target);
  }
  for (let address = func.poolStart & ~3; address + 4 <= func.start; address += 4) {
    const word = image.word(address);
    if (word !== null) jumpTo(-1, word);
  }
  for (const { first, end } of bodies) {
    let plain = first < end && !entered.has(first);
    for (let i = first; i < end && plain; i++) {
      const { flow } = instructions[i]!.row;
      plain = flow !== 'call' && flow !== 'callreg' && flow !== 'loop' && flow !== 'jumpreg';
    }
    if (plain) simple.add(first);
  }
  return simple;
}

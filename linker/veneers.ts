// Takes live code sections and their addresses, finds direct calls and jumps that do not reach, gives each a veneer
// (`l32r a8, literal; jx a8`) behind a section that it reaches: one that is there already, else behind its own. Refuses
// to know layout policy; the layout runs again after it.
import { encode } from '../backend-xtensa/isa/encode.js';
import { INSTRUCTIONS, Op } from '../backend-xtensa/isa/table.js';
import { opcodeOf } from '../backend-xtensa/isa/decode.js';
import type { FieldCodec } from '../backend-xtensa/isa/types.js';
import { R_XTENSA } from './elf-constants.js';
import type { InputSection } from './object.js';
import { alignUp } from './regions.js';
import type { Definition, Resolution } from './symbols.js';

/** Literal, l32r, jx, padding to a word. */
export const VENEER_BYTES = 12;
const VENEER_ENTRY = 4;
/** Never an argument, a result or preserved (compiler/abi/libcalls.ts, CALL0), so dead at every call and tail jump. */
const VENEER_REGISTER = 8;

interface Veneer {
  readonly target: Definition;
  readonly addend: number;
}

type AddressOf = (section: InputSection) => number;

/** All veneers of a link. */
export class VeneerPlan {
  private readonly lists = new Map<InputSection, Veneer[]>();
  /** Where the veneers of a target are. */
  private readonly hosts = new Map<string, { readonly section: InputSection; readonly index: number }[]>();
  private readonly ids = new Map<Definition, number>();

  /** @param shortened bytes of sections of which less is needed than the runtime reserves */
  constructor(private readonly shortened: ReadonlyMap<InputSection, number> = new Map()) {}

  /** Adds a veneer behind `section`. */
  add(section: InputSection, target: Definition, addend: number): void {
    let list = this.lists.get(section);
    if (list === undefined) this.lists.set(section, (list = []));
    const key = this.key(target, addend);
    const host = { section, index: list.length };
    const known = this.hosts.get(key);
    if (known === undefined) this.hosts.set(key, [host]);
    else known.push(host);
    list.push({ target, addend });
  }

  /** Address of a veneer for the target that the instruction at `pc` reaches, or -1. */
  entry(target: Definition, addend: number, pc: number, field: FieldCodec, addressOf: AddressOf): number {
    const hosts = this.hosts.get(this.key(target, addend));
    if (hosts === undefined) return -1;
    // The latest first: it is likely the nearest.
    for (let i = hosts.length - 1; i >= 0; i--) {
      const { section, index } = hosts[i]!;
      const entry = addressOf(section) + alignUp(section.size, 4) + index * VENEER_BYTES + VENEER_ENTRY;
      if (field.fits(entry - pc, pc)) return entry;
    }
    return -1;
  }

  sizeOf(section: InputSection): number {
    const list = this.lists.get(section);
    return list === undefined
      ? (this.shortened.get(section) ?? section.size)
      : alignUp(section.size, 4) + list.length * VENEER_BYTES;
  }

  get count(): number {
    let count = 0;
    for (const list of this.lists.values()) count += list.length;
    return count;
  }

  /** Writes the veneers of a section behind its bytes. `addressOf` gives final addresses. */
  write(section: InputSection, bytes: Uint8Array, addressOf: (definition: Definition) => number): void {
    const list = this.lists.get(section);
    if (list === undefined) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = alignUp(section.size, 4);
    for (const { target, addend } of list) {
      view.setUint32(at, (addressOf(target) + addend) >>> 0, true);
      const load = encode(Op.L32R, [VENEER_REGISTER, -VENEER_ENTRY], 0);
      const jump = encode(Op.JX, [VENEER_REGISTER], 0);
      writeWord24(bytes, at + VENEER_ENTRY, load);
      writeWord24(bytes, at + VENEER_ENTRY + 3, jump);
      at += VENEER_BYTES;
    }
  }

  private key(target: Definition, addend: number): string {
    let id = this.ids.get(target);
    if (id === undefined) this.ids.set(target, (id = this.ids.size));
    return `${id}+${addend}`;
  }
}

function writeWord24(bytes: Uint8Array, at: number, word: number): void {
  bytes[at] = word & 0xff;
  bytes[at + 1] = (word >>> 8) & 0xff;
  bytes[at + 2] = (word >>> 16) & 0xff;
}

/** The pc-relative field of each opcode, or undefined. */
const PCREL_FIELDS: readonly (FieldCodec | undefined)[] = INSTRUCTIONS.map(
  (row) => row.operands.find((operand) => operand.kind === 'pcrel')?.field,
);

/** Reads the up to three bytes of an instruction. */
export function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | ((bytes[at + 2] ?? 0) << 16);
}

export function pcrelField(word: number): FieldCodec | undefined {
  const opcode = opcodeOf(word);
  return opcode < 0 ? undefined : PCREL_FIELDS[opcode];
}

/** Only these leave their section for another one: calls, and jumps of tail calls. */
export function canUseVeneer(word: number): boolean {
  const opcode = opcodeOf(word);
  return opcode === Op.CALL0 || opcode === Op.J;
}

/**
 * Looks for calls and jumps out of reach and plans veneers for them.
 * @returns true if new ones were added, so that the layout must run again
 */
export function planVeneers(
  plan: VeneerPlan,
  sections: Iterable<InputSection>,
  resolution: Resolution,
  addresses: ReadonlyMap<InputSection, number>,
): boolean {
  let added = false;
  const addressOf: AddressOf = (section) => addresses.get(section)!;
  for (const section of sections) {
    if (section.kind !== 'code' || section.bytes === null) continue;
    const base = addresses.get(section)!;
    const definitions = resolution.bySymbol.get(section.object)!;
    const { count, offset, type, symbol, addend } = section.relocations;
    for (let i = 0; i < count; i++) {
      if (type[i] !== R_XTENSA.SLOT0_OP) continue;
      const definition = definitions[symbol[i]!]!;
      if (definition.section === section) continue;
      const word = wordAt(section.bytes, offset[i]!);
      if (!canUseVeneer(word)) continue;
      const target =
        definition.section === null ? definition.value : addresses.get(definition.section)! + definition.value;
      const pc = base + offset[i]!;
      const field = pcrelField(word)!;
      if (field.fits(target + addend[i]! - pc, pc)) continue;
      if (plan.entry(definition, addend[i]!, pc, field, addressOf) >= 0) continue;
      plan.add(section, definition, addend[i]!);
      added = true;
    }
  }
  return added;
}

// Takes live code sections and their addresses, finds direct calls and jumps that do not reach, gives each a veneer at
// the end of its own section: `l32r a8, literal; jx a8`. Refuses to know layout policy; the layout runs again after it.
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

/** All veneers of a link, by the section that needs them. */
export class VeneerPlan {
  private readonly bySection = new Map<InputSection, Map<string, number>>();
  private readonly lists = new Map<InputSection, Veneer[]>();
  private readonly ids = new Map<Definition, number>();

  /** Adds a veneer unless it is there; true if it is new. */
  add(section: InputSection, target: Definition, addend: number): boolean {
    let keys = this.bySection.get(section);
    let list = this.lists.get(section);
    if (keys === undefined || list === undefined) {
      this.bySection.set(section, (keys = new Map()));
      this.lists.set(section, (list = []));
    }
    const key = this.key(target, addend);
    if (keys.has(key)) return false;
    keys.set(key, list.length);
    list.push({ target, addend });
    return true;
  }

  /** Offset of the veneer's first instruction in its section, or -1. */
  entry(section: InputSection, target: Definition, addend: number): number {
    const index = this.bySection.get(section)?.get(this.key(target, addend));
    return index === undefined ? -1 : alignUp(section.size, 4) + index * VENEER_BYTES + VENEER_ENTRY;
  }

  sizeOf(section: InputSection): number {
    const list = this.lists.get(section);
    return list === undefined ? section.size : alignUp(section.size, 4) + list.length * VENEER_BYTES;
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
      if (pcrelField(word)!.fits(target + addend[i]! - pc, pc)) continue;
      if (plan.add(section, definition, addend[i]!)) added = true;
    }
  }
  return added;
}

// Takes a section with its address and the values of its symbols, gives its final bytes. Knows the three relocations
// that change bytes; refuses to know layout.
import { DiagnosticError } from '../compiler/diagnostics.js';
import { R_XTENSA } from './elf-constants.js';
import type { InputSection } from './object.js';
import type { Definition } from './symbols.js';
import { pcrelField, wordAt } from './veneers.js';
import type { VeneerPlan } from './veneers.js';

export interface RelocationContext {
  addressOf(definition: Definition): number;
  sectionAddress(section: InputSection): number;
  /** By symbol index of the section's object. */
  definitions(section: InputSection): readonly (Definition | null)[];
  readonly veneers: VeneerPlan;
}

/**
 * Final bytes of a section.
 * @throws DiagnosticError W405 when a target is out of reach, W701 when a relocation does not fit its instruction
 */
export function relocateSection(section: InputSection, context: RelocationContext): Uint8Array {
  const source = section.bytes!;
  const bytes = new Uint8Array(context.veneers.sizeOf(section));
  bytes.set(source);
  const view = new DataView(bytes.buffer);
  const base = context.sectionAddress(section);
  const definitions = context.definitions(section);
  const { count, offset, type, symbol, addend } = section.relocations;
  for (let i = 0; i < count; i++) {
    const at = offset[i]!;
    const definition = definitions[symbol[i]!]!;
    const target = context.addressOf(definition) + addend[i]!;
    switch (type[i]) {
      case R_XTENSA.ABS32:
        view.setUint32(at, (view.getUint32(at, true) + target) >>> 0, true);
        break;
      case R_XTENSA.PCREL32:
        view.setUint32(at, (view.getUint32(at, true) + target - (base + at)) >>> 0, true);
        break;
      default:
        relocateSlot0(section, bytes, at, base, target, definition, addend[i]!, context);
    }
  }
  context.veneers.write(section, bytes, (definition) => context.addressOf(definition));
  return bytes;
}

function relocateSlot0(
  section: InputSection,
  bytes: Uint8Array,
  at: number,
  base: number,
  target: number,
  definition: Definition,
  addend: number,
  context: RelocationContext,
): void {
  const word = wordAt(bytes, at);
  const field = pcrelField(word);
  if (field === undefined)
    throw new DiagnosticError('W701', `relocation of an instruction that has no pc-relative operand`, {
      file: section.object.name,
      section: section.name,
      offset: at,
    });
  const pc = base + at;
  let displacement = target - pc;
  if (!field.fits(displacement, pc)) {
    const addressOf = (host: InputSection): number => context.sectionAddress(host);
    const entry = context.veneers.entry(definition, addend, pc, field, addressOf);
    displacement = entry - pc;
    if (entry < 0) {
      const distance = `${Math.abs(target - pc)} bytes ${target < pc ? 'back' : 'ahead'}`;
      throw new DiagnosticError('W405', `${definition.name} is ${distance}, out of the instruction's reach`, {
        file: section.object.name,
        section: section.name,
        offset: at,
      });
    }
  }
  const patched = (word & ~field.wordMask) | field.place(field.toRaw(displacement, pc));
  bytes[at] = patched & 0xff;
  bytes[at + 1] = (patched >>> 8) & 0xff;
  // A 16-bit instruction (op0 8..13) has no third byte.
  if ((patched & 15) < 8) bytes[at + 2] = (patched >>> 16) & 0xff;
}

// Takes an object that was read, gives its code as an assembly listing with symbols, data ranges and relocations.
// Refuses to know files.
import { disassembleItems } from '../backend-xtensa/isa/disassemble.js';
import type { InputObject, InputSection } from '../linker/object.js';
import { R_XTENSA } from '../linker/elf-constants.js';

const RELOCATION_NAMES: ReadonlyMap<number, string> = new Map([
  [R_XTENSA.ABS32, 'R_XTENSA_32'],
  [R_XTENSA.PCREL32, 'R_XTENSA_32_PCREL'],
  [R_XTENSA.SLOT0_OP, 'R_XTENSA_SLOT0_OP'],
]);

/** Listing of all code sections. */
export function listObject(object: InputObject): string {
  const ranges = new Map<string, readonly (readonly [number, number])[]>();
  for (const info of object.info?.functions ?? []) ranges.set(info.symbol, info.data);
  const lines: string[] = [];
  for (const section of object.sections) {
    if (section.kind !== 'code' && section.kind !== 'vectors') continue;
    if (section.size > 0) listSection(object, section, ranges, lines);
  }
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

function listSection(
  object: InputObject,
  section: InputSection,
  ranges: ReadonlyMap<string, readonly (readonly [number, number])[]>,
  lines: string[],
): void {
  const headings = new Map<number, string[]>();
  let data: readonly (readonly [number, number])[] | undefined;
  let firstFunction = section.size;
  for (const symbol of object.symbols) {
    if (symbol.section !== section || symbol.type === 'section') continue;
    const list = headings.get(symbol.value);
    if (list === undefined) headings.set(symbol.value, [symbol.name]);
    else list.push(symbol.name);
    data ??= ranges.get(symbol.name);
    if (symbol.type === 'function') firstFunction = Math.min(firstFunction, symbol.value);
  }
  // Objects of gcc say nothing of data in code: with text section literals it lies before the first function.
  data ??= firstFunction < section.size ? [[0, firstFunction]] : [];
  const notes = new Map<number, string>();
  const { count, offset, type, symbol, addend } = section.relocations;
  for (let i = 0; i < count; i++) {
    const name = object.symbols[symbol[i]!]!.name;
    const plus =
      addend[i] === 0 ? '' : addend[i]! > 0 ? `+0x${addend[i]!.toString(16)}` : `-0x${(-addend[i]!).toString(16)}`;
    notes.set(offset[i]!, `${RELOCATION_NAMES.get(type[i]!)} ${name}${plus}`);
  }
  lines.push('', `section ${section.name}`);
  for (const { address, size, text } of disassembleItems(section.bytes!, 0, { data })) {
    for (const name of headings.get(address) ?? []) lines.push(`${hex(address, 8)} <${name}>:`);
    const raw = Array.from(section.bytes!.subarray(address, address + size), (byte) => hex(byte, 2)).join(' ');
    const note = notes.get(address);
    lines.push(`${hex(address, 8)}:  ${raw.padEnd(12)} ${note === undefined ? text : `${text.padEnd(30)} ; ${note}`}`);
  }
}

export function hex(value: number, digits: number): string {
  return (value >>> 0).toString(16).padStart(digits, '0');
}

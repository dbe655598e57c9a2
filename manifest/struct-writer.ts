// Writes C structs, arrays and strings of the ABI layouts into one read-only section, with pointers as relocations.
// Takes layouts and values; knows no manifest.
import { SectionBuilder } from '../backend-xtensa/elf/format.js';
import type { ObjectSection } from '../backend-xtensa/elf/format.js';
import type { Layout } from '../compiler/abi/layout.js';
import { InternalError } from '../compiler/diagnostics.js';

/** A place relative to a symbol; what a pointer points to. */
export interface Reference {
  readonly symbol: string;
  readonly addend: number;
}

export const NULL = 0;
/** A field's value: a number, or an address (pointers, and words that hold code addresses). */
export type FieldValue = number | Reference;
export type StructValue = Readonly<Record<string, FieldValue>>;

export const symbolRef = (symbol: string): Reference => ({ symbol, addend: 0 });

export class StructWriter {
  private readonly section: SectionBuilder;
  private readonly strings = new Map<string, Reference>();
  private readonly shared = new Map<string, Reference>();

  /** @param base global symbol of the section's start */
  constructor(
    name: string,
    private readonly base: string,
  ) {
    this.section = new SectionBuilder(name, 'rodata', 16);
  }

  /** A struct; fields left out are 0. */
  struct(layout: Layout, value: StructValue): Reference {
    const at = this.section.reserve(layout.size);
    this.fill(layout, at, value);
    return this.at(at);
  }

  /** Structs side by side; null if there are none. */
  array(layout: Layout, values: readonly StructValue[]): FieldValue {
    if (values.length === 0) return NULL;
    const at = this.section.reserve(layout.size * values.length);
    values.forEach((value, i) => this.fill(layout, at + i * layout.size, value));
    return this.at(at);
  }

  /** Words side by side; null if there are none. */
  words(values: readonly FieldValue[]): FieldValue {
    if (values.length === 0) return NULL;
    const at = this.section.reserve(4 * values.length);
    values.forEach((value, i) => this.word(at + 4 * i, value));
    return this.at(at);
  }

  /** Zero-terminated UTF-8, each text once. */
  string(text: string): Reference {
    let found = this.strings.get(text);
    if (found === undefined) {
      found = this.at(this.section.append(Buffer.from(`${text}\0`, 'utf8')));
      this.strings.set(text, found);
    }
    return found;
  }

  bytes(content: Uint8Array, align = 4): Reference {
    return this.at(this.section.append(content, align));
  }

  /** What `make` writes, once for each key. */
  once(key: string, make: () => Reference): Reference {
    let found = this.shared.get(key);
    if (found === undefined) this.shared.set(key, (found = make()));
    return found;
  }

  /** Names a place in this section for other objects. */
  export(name: string, place: Reference, size: number): void {
    this.section.symbol(name, place.addend, size);
  }

  finish(): ObjectSection {
    this.section.symbol(this.base, 0, this.section.size);
    return this.section.finish();
  }

  private at(offset: number): Reference {
    return { symbol: this.base, addend: offset };
  }

  private fill(layout: Layout, at: number, value: StructValue): void {
    let given = 0;
    for (const { name, offset, kind } of layout.fields) {
      const content = value[name];
      if (content === undefined) continue;
      given++;
      if (kind === 'u32' || kind === 'ptr') this.word(at + offset, content);
      else if (typeof content !== 'number') throw new InternalError(`${layout.name}.${name} holds no address`);
      else if (kind === 'u8') this.section.setU8(at + offset, content);
      else this.section.setU16(at + offset, content);
    }
    if (given !== Object.keys(value).length) throw new InternalError(`${layout.name} has no such field`);
  }

  private word(at: number, value: FieldValue): void {
    if (typeof value === 'number') this.section.setU32(at, value);
    else this.section.setAddress(at, value.symbol, value.addend);
  }
}

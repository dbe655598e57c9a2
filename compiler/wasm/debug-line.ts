// Takes a .wasm with DWARF, gives the source line of each code offset: reads .debug_line of versions 2 to 5 (DWARF 5,
// section 6.2). Trusts nothing in it; refuses to know any other part of DWARF.
import { DiagnosticError } from '../diagnostics.js';
import { ByteReader } from './reader.js';

export interface SourceLine {
  readonly file: string;
  readonly line: number;
  /** 0: unknown. */
  readonly column: number;
}

/** A row covers the offsets up to the next one. */
interface Row {
  readonly offset: number;
  /** Null: end of a sequence. */
  readonly source: SourceLine | null;
}

export class LineTable {
  /** @param rows sorted by offset */
  constructor(private readonly rows: readonly Row[]) {}

  /** Source line of the instruction at a byte offset of the .wasm, or null. */
  lookup(offset: number): SourceLine | null {
    let low = 0;
    let high = this.rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.rows[middle]!.offset <= offset) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? null : this.rows[low - 1]!.source;
  }
}

const CODE_SECTION = 10;

interface Sections {
  readonly debug: ReadonlyMap<string, Uint8Array>;
  /** Where the contents of the code section begin: DWARF's address 0. */
  readonly codeStart: number;
}

function readSections(wasm: Uint8Array): Sections {
  const r = new ByteReader(wasm, 8);
  const debug = new Map<string, Uint8Array>();
  let codeStart = 0;
  while (!r.done) {
    const id = r.u8();
    const size = r.u32();
    const end = r.pos + size;
    if (end > wasm.length) throw new DiagnosticError('W102', 'length out of bounds', { offset: r.pos });
    if (id === CODE_SECTION) codeStart = r.pos;
    if (id === 0) {
      const name = r.name();
      if (name.startsWith('.debug_')) debug.set(name, wasm.subarray(r.pos, end));
    }
    r.pos = end;
  }
  return { debug, codeStart };
}

/**
 * The line table of a module, or null if it has none.
 * @throws DiagnosticError W1xx for a malformed module, W301 for DWARF that is malformed or of an unknown kind
 */
export function readLineTable(wasm: Uint8Array): LineTable | null {
  const { debug, codeStart } = readSections(wasm);
  const line = debug.get('.debug_line');
  if (line === undefined) return null;
  const rows: Row[] = [];
  try {
    const reader = new LineReader(line, debug);
    while (reader.pos < line.length) reader.unit(codeStart, rows);
  } catch (error) {
    // Reads beyond the end of the section.
    if (error instanceof RangeError) throw new DiagnosticError('W301', 'malformed .debug_line');
    throw error;
  }
  // At one offset the last row of a sequence wins over the end of the one before.
  rows.sort((a, b) => a.offset - b.offset || Number(a.source !== null) - Number(b.source !== null));
  return new LineTable(rows);
}

/** Standard opcodes, and extended ones. */
const LNS = {
  copy: 1,
  advancePc: 2,
  advanceLine: 3,
  setFile: 4,
  setColumn: 5,
  constAddPc: 8,
  fixedAdvancePc: 9,
} as const;
const LNE = { endSequence: 1, setAddress: 2 } as const;
/** Content types and forms of the tables of version 5. */
const LNCT = { path: 1, directory: 2 } as const;
const FORM = {
  block2: 0x03,
  block4: 0x04,
  data2: 0x05,
  data4: 0x06,
  data8: 0x07,
  string: 0x08,
  block: 0x09,
  block1: 0x0a,
  data1: 0x0b,
  strp: 0x0e,
  udata: 0x0f,
  data16: 0x1e,
  lineStrp: 0x1f,
} as const;

const text = new TextDecoder();

class LineReader {
  pos = 0;
  private readonly view: DataView;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly debug: ReadonlyMap<string, Uint8Array>,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** One line number program. */
  unit(codeStart: number, rows: Row[]): void {
    const length = this.u32();
    if (length >= 0xfffffff0) throw unsupported('64-bit DWARF');
    const end = this.pos + length;
    if (end > this.bytes.length) throw unsupported('.debug_line that ends too early');
    const version = this.u16();
    if (version < 2 || version > 5) throw unsupported(`.debug_line version ${version}`);
    if (version >= 5) this.skip(2);
    const headerBytes = this.u32();
    const program = this.pos + headerBytes;
    if (program > end) throw unsupported('.debug_line whose header ends too late');
    const minimumInstruction = this.u8();
    if (version >= 4) this.skip(1);
    this.skip(1);
    const lineBase = this.view.getInt8(this.pos++);
    const lineRange = this.u8();
    const opcodeBase = this.u8();
    const operandCounts = [0];
    for (let i = 1; i < opcodeBase; i++) operandCounts.push(this.u8());
    const files = version >= 5 ? this.filesOf5() : this.filesOf4();
    if (lineRange === 0) throw unsupported('.debug_line without a line range');
    this.pos = program;
    this.run(end, codeStart, { minimumInstruction, lineBase, lineRange, opcodeBase, operandCounts, files }, rows);
    this.pos = end;
  }

  private run(end: number, codeStart: number, header: Header, rows: Row[]): void {
    const { minimumInstruction, lineBase, lineRange, opcodeBase, operandCounts, files } = header;
    const sequence: Row[] = [];
    let address = 0;
    let file = 1;
    let line = 1;
    let column = 0;
    const emit = (): void => {
      const name = files[file] ?? '?';
      sequence.push({ offset: codeStart + address, source: line === 0 ? null : { file: name, line, column } });
    };
    while (this.pos < end) {
      const opcode = this.u8();
      if (opcode >= opcodeBase) {
        const adjusted = opcode - opcodeBase;
        address += Math.floor(adjusted / lineRange) * minimumInstruction;
        line += lineBase + (adjusted % lineRange);
        emit();
      } else if (opcode === 0) {
        const length = this.uleb();
        const next = this.pos + length;
        const extended = this.u8();
        if (extended === LNE.setAddress) address = this.u32();
        else if (extended === LNE.endSequence) {
          sequence.push({ offset: codeStart + address, source: null });
          // What the linker dropped has kept no address (0 or all ones).
          if (sequence[0]!.offset !== codeStart && address < 0xfffffff0) for (const row of sequence) rows.push(row);
          sequence.length = 0;
          [address, file, line, column] = [0, 1, 1, 0];
        }
        this.pos = next;
      } else {
        switch (opcode) {
          case LNS.copy:
            emit();
            break;
          case LNS.advancePc:
            address += this.uleb() * minimumInstruction;
            break;
          case LNS.advanceLine:
            line += this.sleb();
            break;
          case LNS.setFile:
            file = this.uleb();
            break;
          case LNS.setColumn:
            column = this.uleb();
            break;
          case LNS.constAddPc:
            address += Math.floor((255 - opcodeBase) / lineRange) * minimumInstruction;
            break;
          case LNS.fixedAdvancePc:
            address += this.u16();
            break;
          default:
            for (let i = operandCounts[opcode] ?? 0; i > 0; i--) this.uleb();
        }
      }
    }
  }

  /** File names by number; those of versions 2 to 4 begin with 1. */
  private filesOf4(): string[] {
    const folders = [''];
    for (let name = this.string(); name !== ''; name = this.string()) folders.push(name);
    const files = ['?'];
    for (let name = this.string(); name !== ''; name = this.string()) {
      const folder = folders[this.uleb()] ?? '';
      this.uleb();
      this.uleb();
      files.push(joinPath(folder, name));
    }
    return files;
  }

  private filesOf5(): string[] {
    const folders = this.entries().map(({ path }) => path);
    return this.entries().map(({ path, directory }) => {
      // Folder 0 is where the compiler ran: paths stay relative to it.
      return joinPath(directory === 0 ? '' : (folders[directory] ?? ''), path);
    });
  }

  private entries(): { readonly path: string; readonly directory: number }[] {
    const formats: [number, number][] = [];
    for (let n = this.u8(); n > 0; n--) formats.push([this.uleb(), this.uleb()]);
    const entries: { path: string; directory: number }[] = [];
    const count = this.uleb();
    if (count > this.bytes.length) throw unsupported('.debug_line with more files than bytes');
    for (let i = 0; i < count; i++) {
      const entry = { path: '', directory: 0 };
      for (const [type, form] of formats) {
        const value = this.form(form);
        if (type === LNCT.path && typeof value === 'string') entry.path = value;
        if (type === LNCT.directory && typeof value === 'number') entry.directory = value;
      }
      entries.push(entry);
    }
    return entries;
  }

  private form(form: number): string | number | null {
    switch (form) {
      case FORM.string:
        return this.string();
      case FORM.strp:
        return this.stringAt('.debug_str', this.u32());
      case FORM.lineStrp:
        return this.stringAt('.debug_line_str', this.u32());
      case FORM.udata:
        return this.uleb();
      case FORM.data1:
        return this.u8();
      case FORM.data2:
        return this.u16();
      case FORM.data4:
        return this.u32();
      case FORM.data8:
        return this.skip(8);
      case FORM.data16:
        return this.skip(16);
      case FORM.block:
        return this.skip(this.uleb());
      case FORM.block1:
        return this.skip(this.u8());
      case FORM.block2:
        return this.skip(this.u16());
      case FORM.block4:
        return this.skip(this.u32());
      default:
        throw unsupported(`form 0x${form.toString(16)} in .debug_line`);
    }
  }

  private stringAt(section: string, offset: number): string {
    const bytes = this.debug.get(section);
    if (bytes === undefined || offset >= bytes.length) return '?';
    const end = bytes.indexOf(0, offset);
    return text.decode(bytes.subarray(offset, end < 0 ? bytes.length : end));
  }

  private string(): string {
    const end = this.bytes.indexOf(0, this.pos);
    if (end < 0) throw new RangeError();
    const value = text.decode(this.bytes.subarray(this.pos, end));
    this.pos = end + 1;
    return value;
  }
  private skip(bytes: number): null {
    this.pos += bytes;
    return null;
  }
  private u8(): number {
    return this.view.getUint8(this.pos++);
  }
  private u16(): number {
    this.pos += 2;
    return this.view.getUint16(this.pos - 2, true);
  }
  private u32(): number {
    this.pos += 4;
    return this.view.getUint32(this.pos - 4, true);
  }
  private uleb(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }
  private sleb(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return byte & 0x40 ? value - scale * 128 : value;
    }
  }
}

interface Header {
  readonly minimumInstruction: number;
  readonly lineBase: number;
  readonly lineRange: number;
  readonly opcodeBase: number;
  readonly operandCounts: readonly number[];
  readonly files: readonly string[];
}

function joinPath(folder: string, name: string): string {
  return folder === '' || name.startsWith('/') ? name : `${folder}/${name}`;
}

function unsupported(what: string): DiagnosticError {
  return new DiagnosticError('W301', what);
}

// Takes the types of a manifest, gives them laid out as C does on the chip, with their ranges checked. Refuses to know
// services.
import { MAX_WINDOW_BYTES } from '../compiler/abi/window.js';
import type { ArrayEntry, BytesEntry, FieldEntry, RecordEntry, ScalarName, TypeEntry, TypeUse } from './file.js';
import type { Findings } from './findings.js';
import type { FieldModel, PayloadType, RecordType } from './model.js';

interface Scalar {
  readonly bytes: number;
  /** Values of an integer; null: any number. */
  readonly min: number | null;
  readonly max: number | null;
}

export const SCALARS: Readonly<Record<ScalarName, Scalar>> = {
  u8: { bytes: 1, min: 0, max: 0xff },
  i8: { bytes: 1, min: -0x80, max: 0x7f },
  u16: { bytes: 2, min: 0, max: 0xffff },
  i16: { bytes: 2, min: -0x8000, max: 0x7fff },
  u32: { bytes: 4, min: 0, max: 0xffffffff },
  i32: { bytes: 4, min: -0x80000000, max: 0x7fffffff },
  f32: { bytes: 4, min: null, max: null },
  // Bounds are 32-bit words in the device's tables.
  u64: { bytes: 8, min: 0, max: 0xffffffff },
  i64: { bytes: 8, min: -0x80000000, max: 0x7fffffff },
  f64: { bytes: 8, min: null, max: null },
  bool: { bytes: 1, min: 0, max: 1 },
};

/** `ts_type.element_bytes` and offsets of fields are 16 bits wide. */
const MAX_RECORD_BYTES = 0xffff;

export class PayloadTypes {
  private readonly laidOut = new Map<string, PayloadType>();
  private readonly entries: ReadonlyMap<string, TypeEntry>;

  constructor(
    entries: Readonly<Record<string, TypeEntry>>,
    private readonly findings: Findings,
  ) {
    this.entries = new Map(Object.entries(entries));
    for (const [name, entry] of this.entries) {
      const pointer = `/types/${name}`;
      if (name === 'none') findings.error('W810', pointer, '"none" is the type of no payload');
      if (entry.type === 'record') this.laidOut.set(name, this.record(entry, name, pointer));
    }
    // Arrays may be of records that stand further down.
    for (const [name, entry] of this.entries)
      if (entry.type !== 'record') this.laidOut.set(name, this.layOut(entry, `/types/${name}`));
  }

  /** Records that have a name. */
  get records(): ReadonlyMap<string, RecordType> {
    const records = new Map<string, RecordType>();
    for (const [name, type] of this.laidOut) if (type.kind === 'record') records.set(name, type);
    return records;
  }

  /** The type a contract names or spells out; null: no payload. */
  use(use: TypeUse | undefined, pointer: string): PayloadType | null {
    if (use === undefined || use === 'none') return null;
    if (typeof use !== 'string') return this.layOut(use, pointer);
    const found = this.laidOut.get(use);
    if (found === undefined) this.findings.error('W810', pointer, `there is no type "${use}"`);
    return found ?? null;
  }

  /** Entries of the named types that `uses` refer to, those inside others too. */
  referred(uses: readonly (TypeUse | undefined)[]): Record<string, TypeEntry> {
    const found = new Map<string, TypeEntry>();
    const visit = (use: TypeUse | undefined): void => {
      if (typeof use === 'string') {
        const entry = this.entries.get(use);
        if (entry === undefined || found.has(use)) return;
        found.set(use, entry);
        visit(entry);
      } else if (use?.type === 'array') visit(use.of);
    };
    uses.forEach(visit);
    return Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  private layOut(entry: TypeEntry, pointer: string): PayloadType {
    switch (entry.type) {
      case 'record':
        return this.record(entry, null, pointer);
      case 'array':
        return this.array(entry, pointer);
      default:
        return this.bytes(entry, pointer);
    }
  }

  private bytes({ type, min = 0, max }: BytesEntry, pointer: string): PayloadType {
    if (min > max)
      this.findings.error('W810', `${pointer}/min`, `the least length ${min} is above the greatest, ${max}`);
    return { kind: type, min, max };
  }

  private array({ of, min = 0, max }: ArrayEntry, pointer: string): PayloadType {
    let element: PayloadType | undefined;
    if (typeof of !== 'string') element = this.record(of, null, `${pointer}/of`);
    else {
      element = this.laidOut.get(of);
      if (element?.kind !== 'record') this.findings.error('W810', `${pointer}/of`, `there is no record "${of}"`);
    }
    const record: RecordType =
      element?.kind === 'record' ? element : { kind: 'record', name: null, fields: [], bytes: 1 };
    if (min > max)
      this.findings.error('W810', `${pointer}/min`, `the least count ${min} is above the greatest, ${max}`);
    if (max * record.bytes > MAX_WINDOW_BYTES)
      this.findings.error('W810', pointer, `${max} elements of ${record.bytes} bytes exceed ${MAX_WINDOW_BYTES} bytes`);
    return { kind: 'array', of: record, min, max };
  }

  private record({ fields }: RecordEntry, name: string | null, pointer: string): RecordType {
    const laidOut: FieldModel[] = [];
    const names = new Set<string>();
    let at = 0;
    let align = 1;
    fields.forEach((field, i) => {
      const where = `${pointer}/fields/${i}`;
      if (names.has(field.name)) this.findings.error('W804', `${where}/name`, `two fields "${field.name}"`);
      names.add(field.name);
      this.checkRange(field, where);
      const { bytes } = SCALARS[field.type];
      align = Math.max(align, bytes);
      at = Math.ceil(at / bytes) * bytes;
      const { type: scalar, count = null, min = null, max = null } = field;
      laidOut.push({ name: field.name, scalar, offset: at, count, min, max });
      at += bytes * (count ?? 1);
    });
    const bytes = Math.ceil(at / align) * align;
    if (bytes > MAX_RECORD_BYTES)
      this.findings.error('W810', pointer, `a record of ${bytes} bytes; at most ${MAX_RECORD_BYTES}`);
    return { kind: 'record', name, fields: laidOut, bytes };
  }

  private checkRange({ type, min, max }: FieldEntry, pointer: string): void {
    const scalar = SCALARS[type];
    if (type === 'bool' && (min !== undefined || max !== undefined))
      this.findings.error('W810', pointer, 'a bool has no range');
    if ((type === 'u64' || type === 'i64') && (min === undefined) !== (max === undefined))
      this.findings.error('W810', pointer, `a range of ${type} needs both min and max`);
    for (const [key, value] of [
      ['min', min],
      ['max', max],
    ] as const) {
      if (value === undefined || scalar.min === null || scalar.max === null) continue;
      if (!Number.isInteger(value) || value < scalar.min || value > scalar.max)
        this.findings.error('W810', `${pointer}/${key}`, `must be an integer from ${scalar.min} to ${scalar.max}`);
    }
    if (min !== undefined && max !== undefined && min > max)
      this.findings.error('W810', `${pointer}/min`, `min ${min} is above max ${max}`);
  }
}

// Makes small packages by hand, independently of `wasm-aot package`: a module of two assembled functions in the layout of
// ts_package, signed as COSE_Sign1. Every field can be made wrong. Takes a slot and values, gives bytes.
import { sign, type KeyObject } from 'node:crypto';
import { assemble } from '../../backend-xtensa/isa/assemble.js';
import { ABI_VERSION, WASM_MODULE, type Layout } from '../../compiler/abi/layout.js';
import {
  Method,
  OS_ABI_VERSION,
  PACKAGE_MAGIC,
  RestartPolicy,
  TS_CONTRACT,
  TS_MODULE_INFO,
  TS_PACKAGE,
  TS_SERVICE,
} from '../../compiler/abi/os-layout.js';
import type { SlotPlace } from '../../linker/slots.js';

export interface PackageSpec {
  readonly slot: SlotPlace;
  readonly baseId: number;
  readonly name: string;
  /** major, minor, patch */
  readonly version: readonly [number, number, number];
  /** What GET /NAME answers, as a bare code. */
  readonly answer: number;
  /** Its start traps. */
  readonly bad?: boolean;
  /** Bytes of read-only data behind the code. */
  readonly ballast?: number;
  /** Fields of the header to be overwritten. */
  readonly header?: Readonly<Record<string, number>>;
}

export const STACK_BYTES = 1024;

const versionWord = ([major, minor, patch]: PackageSpec['version']): number => (major << 20) | (minor << 10) | patch;

/** The contents of a bank. */
export function packageContents(spec: PackageSpec): Buffer {
  const { slot, name, version, bad = false, ballast = 0 } = spec;
  const bytes = Buffer.alloc(0x1000 + ballast, 0xa5);
  let cursor = TS_PACKAGE.size;
  const put = (data: Uint8Array): number => {
    cursor = (cursor + 3) & ~3;
    bytes.set(data, cursor);
    cursor += data.length;
    return slot.rodataBase + cursor - data.length;
  };
  const text = (value: string): number => put(Buffer.from(`${value}\0`));
  const struct = (layout: Layout, values: Readonly<Record<string, number>>): number => put(fill(layout, values));
  const wasm = struct(WASM_MODULE, { abi_version: ABI_VERSION, name: text(name) });
  cursor = 0x800;
  const codeAt = slot.codeBase + cursor;
  const code = assemble(
    `handler: movi a2, ${spec.answer}; ret.n; .align 4; on_start: ${bad ? 'ill.n' : 'ret.n'}; .align 4`,
    { origin: codeAt },
  );
  put(code.bytes);
  const service = struct(TS_SERVICE, {
    path: text(name),
    handler: code.labels.get('handler')!,
    contract: struct(TS_CONTRACT, { deadline_cycles: 40_000 }),
    attributes: text(''),
    method: Method.Get,
  });
  const info = struct(TS_MODULE_INFO, {
    os_abi_version: OS_ABI_VERSION,
    wasm,
    name: text(name),
    version: text(version.join('.')),
    restart: RestartPolicy.OnFault,
    backoff_ms: 10,
    stack_bottom: slot.ramBase,
    stack_top: slot.ramBase + STACK_BYTES,
    data_start: slot.ramBase + STACK_BYTES,
    data_load: put(Buffer.from([1, 2, 3, 4])),
    data_bytes: 4,
    bss_start: slot.ramBase + STACK_BYTES + 16,
    bss_bytes: 16,
    services: service,
    service_count: 1,
    start_deadline_cycles: 40_000,
    event_deadline_cycles: 40_000,
    on_start: code.labels.get('on_start')!,
  });
  bytes.set(
    fill(TS_PACKAGE, {
      magic: PACKAGE_MAGIC,
      os_abi_version: OS_ABI_VERSION,
      wasm_abi_version: ABI_VERSION,
      total_bytes: bytes.length,
      info,
      slot_code_base: slot.codeBase,
      slot_ram_base: slot.ramBase,
      ram_bytes: STACK_BYTES + 32,
      base_id: spec.baseId,
      version: versionWord(version),
      ...spec.header,
    }),
  );
  return bytes;
}

function fill(layout: Layout, values: Readonly<Record<string, number>>): Buffer {
  const bytes = Buffer.alloc(layout.size);
  for (const [name, value] of Object.entries(values)) {
    const field = layout.fields.find((candidate) => candidate.name === name);
    if (field === undefined) throw new Error(`${layout.name} has no ${name}`);
    bytes.writeUIntLE(value >>> 0, field.offset, field.size);
  }
  return bytes;
}

function byteString(data: Uint8Array): Buffer {
  const n = data.length;
  const head = n > 0xffff ? [0x5a, n >>> 24, n >>> 16, n >>> 8, n] : n > 0xff ? [0x59, n >>> 8, n] : [0x58, n];
  return Buffer.concat([Uint8Array.from(head), data]);
}

/** COSE_Sign1 with EdDSA around contents. */
export function signPackage(contents: Uint8Array, key: KeyObject): Buffer {
  const protectedHeader = Uint8Array.of(0x43, 0xa1, 0x01, 0x27);
  const signed = Buffer.concat([
    Uint8Array.of(0x84, 0x6a),
    Buffer.from('Signature1'),
    protectedHeader,
    Uint8Array.of(0x40),
    byteString(contents),
  ]);
  const signature = sign(null, signed, key);
  const start = Uint8Array.of(0xd2, 0x84);
  return Buffer.concat([start, protectedHeader, Uint8Array.of(0xa0), byteString(contents), byteString(signature)]);
}

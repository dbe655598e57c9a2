// Takes a package, gives what its header and its manifest say, for people and as data. Refuses to know commands.
import type { KeyObject } from 'node:crypto';
import { TS_MODULE_INFO } from '../compiler/abi/os-layout.js';
import { readPackage } from '../manifest/package.js';

export interface PackageReport {
  readonly bytes: number;
  /** Of flash. */
  readonly bankBytes: number;
  readonly module: string | null;
  readonly version: string;
  readonly abi: { readonly os: number; readonly wasm: number };
  /** Identity of the image it was linked for. */
  readonly baseId: number;
  readonly slotCode: number;
  readonly slotRam: number;
  readonly ramBytes: number;
  /** Null: no key was given to check it with. */
  readonly signed: true | null;
}

/** @throws DiagnosticError W815 malformed, W813 not signed with this key */
export function reportPackage(bytes: Uint8Array, file: string, key: KeyObject | null): PackageReport {
  const { contents, header } = readPackage(bytes, file, key);
  const field = (name: string): number => header[name]!;
  const version = field('version');
  return {
    bytes: bytes.length,
    bankBytes: contents.length,
    module: moduleName(contents, field('info')),
    version: `${version >>> 20}.${(version >>> 10) & 0x3ff}.${version & 0x3ff}`,
    abi: { os: field('os_abi_version'), wasm: field('wasm_abi_version') },
    baseId: field('base_id'),
    slotCode: field('slot_code_base'),
    slotRam: field('slot_ram_base'),
    ramBytes: field('ram_bytes'),
    signed: key === null ? null : true,
  };
}

const PAGE = 0x10000;

/** By the pointers of the descriptor, which lie in the bank's first page or not far behind; null if they do not. */
function moduleName(contents: Uint8Array, info: number): string | null {
  const view = new DataView(contents.buffer, contents.byteOffset, contents.byteLength);
  // The bank begins at a page; the descriptor is in its first one unless constants alone fill that.
  for (let base = info - (info % PAGE); base > info - contents.length; base -= PAGE) {
    const at = info - base + TS_MODULE_INFO.offset.name;
    if (at + 4 > contents.length) continue;
    const name = view.getUint32(at, true) - base;
    const end = name > 0 && name < contents.length ? contents.indexOf(0, name) : -1;
    const text = Buffer.from(contents.subarray(name, Math.max(name, end))).toString('latin1');
    if (end > name && /^[a-z][a-z0-9-]*$/.test(text)) return text;
  }
  return null;
}

export function formatPackageReport(report: PackageReport): string {
  const { module, version, bytes, bankBytes, ramBytes, slotCode, slotRam, baseId, abi, signed } = report;
  const hex = (value: number): string => `0x${value.toString(16).padStart(8, '0')}`;
  return [
    `package of ${module ?? 'a module'} ${version}, ${bytes} bytes`,
    `flash   ${bankBytes} bytes, code at ${hex(slotCode)}`,
    `RAM     ${ramBytes} bytes at ${hex(slotRam)}`,
    `image   ${hex(baseId)} (OS ABI ${abi.os}, compiler ABI ${abi.wasm})`,
    signed === null ? 'signature not checked: give --key' : 'signed with this key',
    '',
  ].join('\n');
}

// The custom section "things" of a .wasm: the manifest entry that travels with a module, as CBOR (RFC 8949). Takes and
// gives bytes; knows sections, no meaning of the manifest.
import { decode, encode } from 'cborg';
import { DiagnosticError } from '../compiler/diagnostics.js';
import { decodeModule } from '../compiler/wasm/decode.js';
import { SECTION_FORMAT } from './resolve.js';

export const THINGS_SECTION = 'things';
const MAX_SECTION_BYTES = 256 * 1024;

/** The same value gives the same bytes, whatever the order of its keys. */
export function encodeManifest(value: unknown): Uint8Array {
  return encode(value);
}

export interface ManifestSection {
  /** Module entry as in things.json, without `wasm`. */
  readonly module: Record<string, unknown>;
  readonly types: Record<string, unknown>;
}

/**
 * The section of a module, or null. Its contents have been decoded, not checked.
 * @throws DiagnosticError W814, and those of the Wasm decoder
 */
export function readManifestSection(wasm: Uint8Array, file: string): ManifestSection | null {
  const sections = decodeModule(wasm).customs.filter(({ name }) => name === THINGS_SECTION);
  const [section, second] = sections;
  if (section === undefined) return null;
  const place = { file, section: THINGS_SECTION, offset: section.start };
  const fail = (message: string): never => {
    throw new DiagnosticError('W814', message, place);
  };
  if (second !== undefined) fail('the module has two of them');
  if (section.end - section.start > MAX_SECTION_BYTES) fail(`longer than ${MAX_SECTION_BYTES} bytes`);
  return sectionOfValue(decodeStrictly(wasm.subarray(section.start, section.end), fail), fail);
}

/** The section's value as parts, which have not been checked any further. */
export function sectionOfValue(value: unknown, fail: (message: string) => never): ManifestSection {
  if (!isObject(value) || value['thingspire'] !== SECTION_FORMAT) return fail(`is not of form ${SECTION_FORMAT}`);
  const { module, types } = value;
  if (!isObject(module) || !isObject(types)) return fail('has no module or no types');
  return { module, types };
}

function decodeStrictly(bytes: Uint8Array, fail: (message: string) => never): unknown {
  try {
    return decode(bytes, {
      strict: true,
      allowIndefinite: false,
      allowUndefined: false,
      allowInfinity: false,
      allowNaN: false,
      rejectDuplicateMapKeys: true,
    });
  } catch (error) {
    // cborg recurses: abysmal nesting ends as a RangeError.
    return fail(error instanceof Error ? error.message : String(error));
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The module with its section in the place of one it had; all else stays byte for byte. */
export function embedManifest(wasm: Uint8Array, value: unknown): Uint8Array {
  const payload = Buffer.concat([nameBytes(THINGS_SECTION), encodeManifest(value)]);
  const kept: Uint8Array[] = [];
  let from = 0;
  for (const { name, start, end } of decodeModule(wasm).customs) {
    if (name !== THINGS_SECTION) continue;
    kept.push(wasm.subarray(from, sectionStart(wasm, start, end)));
    from = end;
  }
  kept.push(wasm.subarray(from));
  return Buffer.concat([...kept, Uint8Array.of(0), leb128(payload.length), payload]);
}

/** Where a custom section's id is, from where its contents are; its length may be written longer than need be. */
function sectionStart(wasm: Uint8Array, contents: number, end: number): number {
  const body = contents - nameBytes(THINGS_SECTION).length;
  for (let at = body - 2; at >= Math.max(0, body - 6); at--) {
    if (wasm[at] !== 0) continue;
    let size = 0;
    for (let i = at + 1; i < body; i++) size += (wasm[i]! & 0x7f) * 2 ** (7 * (i - at - 1));
    if (size === end - body) return at;
  }
  throw new DiagnosticError('W814', 'cannot be replaced: its header is written in an unusual way');
}

function nameBytes(name: string): Uint8Array {
  const text = Buffer.from(name, 'utf8');
  return Buffer.concat([leb128(text.length), text]);
}

function leb128(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    if (left < 128) {
      bytes.push(left);
      return Uint8Array.from(bytes);
    }
    bytes.push((left % 128) | 0x80);
  }
}

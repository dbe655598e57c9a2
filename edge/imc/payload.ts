// Checks a payload against what its contract says, with the rules of the device's kernel. Takes bytes and a manifest's
// type, gives a response code or null. Knows no route.
import { ResponseCode } from '../../compiler/abi/os-layout.js';
import type { ScalarName } from '../../manifest/file.js';
import { payloadBounds, type FieldModel, type PayloadType, type RecordType } from '../../manifest/model.js';
import { SCALARS } from '../../manifest/payload-types.js';
import { isWellFormedCbor } from './well-formed-cbor.js';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Null if `bytes` is what `type` says (null: nothing allowed), else 4.00 or 4.13. */
export function checkPayload(bytes: Uint8Array, type: PayloadType | null): number | null {
  if (type === null) return bytes.length === 0 ? null : ResponseCode.RequestEntityTooLarge;
  const { min, max } = payloadBounds(type);
  if (bytes.length > max) return ResponseCode.RequestEntityTooLarge;
  if (bytes.length < min) return ResponseCode.BadRequest;
  return isWellFormed(bytes, type) ? null : ResponseCode.BadRequest;
}

function isWellFormed(bytes: Uint8Array, type: PayloadType): boolean {
  switch (type.kind) {
    case 'utf8':
      return isUtf8(bytes);
    case 'cbor':
      return isWellFormedCbor(bytes);
    case 'record':
      return inRange(bytes, type);
    case 'array':
      return inRange(bytes, type.of);
    default:
      return true;
  }
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    utf8.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** Are all elements (at least one byte each) in range? NaN never is. */
function inRange(bytes: Uint8Array, { fields, bytes: size }: RecordType): boolean {
  if (bytes.length % size !== 0) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const ranged = fields.filter(({ scalar, min, max }) => scalar === 'bool' || min !== null || max !== null);
  for (let base = 0; base < bytes.length; base += size)
    for (const field of ranged) if (!fieldInRange(view, base, field)) return false;
  return true;
}

function fieldInRange(view: DataView, base: number, { scalar, offset, count, min, max }: FieldModel): boolean {
  const low = min ?? SCALARS[scalar].min ?? -Infinity;
  const high = max ?? SCALARS[scalar].max ?? Infinity;
  for (let i = 0; i < (count ?? 1); i++) {
    const value = readScalar(view, base + offset + i * SCALARS[scalar].bytes, scalar);
    if (!(value >= low && value <= high)) return false;
  }
  return true;
}

/** Value of a scalar; a bool as its byte. */
export function readScalar(view: DataView, at: number, scalar: ScalarName): number | bigint {
  switch (scalar) {
    case 'i8':
      return view.getInt8(at);
    case 'u16':
      return view.getUint16(at, true);
    case 'i16':
      return view.getInt16(at, true);
    case 'u32':
      return view.getUint32(at, true);
    case 'i32':
      return view.getInt32(at, true);
    case 'f32':
      return view.getFloat32(at, true);
    case 'u64':
      return view.getBigUint64(at, true);
    case 'i64':
      return view.getBigInt64(at, true);
    case 'f64':
      return view.getFloat64(at, true);
    default:
      return view.getUint8(at);
  }
}

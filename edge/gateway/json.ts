// Payloads of contracts as JSON values and back: records as objects, arrays of records as arrays, text as strings, CBOR by
// its data model, bytes as base64 text. Takes a type of the manifest; knows no HTTP.
import { decode, encode } from 'cborg';
import type { FieldModel, PayloadType, RecordType } from '../../manifest/model.js';
import { payloadBounds } from '../../manifest/model.js';
import type { ScalarName } from '../../manifest/file.js';
import { SCALARS } from '../../manifest/payload-types.js';
import { readScalar } from '../imc/payload.js';

/** A JSON value that does not fit the type: the client's fault. `pointer` says where. */
export class JsonMismatch extends Error {
  constructor(
    readonly pointer: string,
    message: string,
  ) {
    super(`${pointer === '' ? 'the value' : pointer} ${message}`);
  }
}

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Payload for a JSON value. @throws JsonMismatch */
export function payloadFromJson(value: unknown, type: PayloadType | null): Uint8Array {
  if (type === null) {
    if (value !== null && value !== undefined)
      throw new JsonMismatch('', 'must be missing: the service takes no payload');
    return new Uint8Array(0);
  }
  switch (type.kind) {
    case 'utf8':
      if (typeof value !== 'string') throw new JsonMismatch('', 'must be a string');
      return Buffer.from(value, 'utf8');
    case 'bytes':
      if (typeof value !== 'string' || !/^[A-Za-z0-9+/]*={0,2}$/.test(value))
        throw new JsonMismatch('', 'must be base64 text');
      return Buffer.from(value, 'base64');
    case 'cbor':
      return encode(value ?? null);
    case 'record':
      return recordFromJson(value, type, '');
    case 'array':
      if (!Array.isArray(value)) throw new JsonMismatch('', 'must be an array');
      return Buffer.concat(value.map((element, i) => recordFromJson(element, type.of, `/${i}`)));
  }
}

function recordFromJson(value: unknown, { fields, bytes }: RecordType, pointer: string): Uint8Array {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new JsonMismatch(pointer, 'must be an object');
  const payload = new Uint8Array(bytes);
  const view = new DataView(payload.buffer);
  const object = value as Record<string, unknown>;
  const known = new Set(fields.map(({ name }) => name));
  for (const key of Object.keys(object)) if (!known.has(key)) throw new JsonMismatch(`${pointer}/${key}`, 'is unknown');
  for (const field of fields) {
    const where = `${pointer}/${field.name}`;
    const entry = object[field.name];
    if (field.count === null) writeScalar(view, field.offset, field.scalar, entry, where);
    else {
      if (!Array.isArray(entry) || entry.length !== field.count)
        throw new JsonMismatch(where, `must be an array of ${field.count}`);
      entry.forEach((element, i) =>
        writeScalar(view, field.offset + i * SCALARS[field.scalar].bytes, field.scalar, element, `${where}/${i}`),
      );
    }
  }
  return payload;
}

function writeScalar(view: DataView, at: number, scalar: ScalarName, value: unknown, pointer: string): void {
  if (scalar === 'bool') {
    if (typeof value !== 'boolean') throw new JsonMismatch(pointer, 'must be true or false');
    view.setUint8(at, value ? 1 : 0);
    return;
  }
  if (scalar === 'u64' || scalar === 'i64') {
    writeLong(view, at, scalar, value, pointer);
    return;
  }
  if (typeof value !== 'number') throw new JsonMismatch(pointer, 'must be a number');
  if (scalar === 'f32') view.setFloat32(at, value, true);
  else if (scalar === 'f64') view.setFloat64(at, value, true);
  else {
    const { min, max, bytes } = SCALARS[scalar];
    if (!Number.isInteger(value) || value < min! || value > max!)
      throw new JsonMismatch(pointer, `must be an integer from ${min} to ${max}`);
    if (bytes === 1) view.setUint8(at, value & 0xff);
    else if (bytes === 2) view.setUint16(at, value & 0xffff, true);
    else view.setUint32(at, value >>> 0, true);
  }
}

/** 64-bit integers beyond 2^53 come and go as decimal strings. */
function writeLong(view: DataView, at: number, scalar: 'u64' | 'i64', value: unknown, pointer: string): void {
  const fits = Number.isSafeInteger(value) || (typeof value === 'string' && /^-?\d{1,20}$/.test(value));
  const long = fits ? BigInt(value as number | string) : null;
  const inRange = long !== null && (scalar === 'u64' ? BigInt.asUintN(64, long) : BigInt.asIntN(64, long)) === long;
  if (!inRange) throw new JsonMismatch(pointer, 'must be a 64-bit integer, above 2^53 as a string');
  view.setBigUint64(at, BigInt.asUintN(64, long), true);
}

/** JSON value of a payload that fits its type. */
export function payloadToJson(payload: Uint8Array, type: PayloadType | null): Json {
  if (type === null) return null;
  switch (type.kind) {
    case 'utf8':
      return Buffer.from(payload).toString('utf8');
    case 'bytes':
      return Buffer.from(payload).toString('base64');
    case 'cbor':
      return toJson(decode(payload, { useMaps: true, allowUndefined: true }));
    case 'record':
      return recordToJson(payload, type);
    case 'array':
      return Array.from({ length: payload.length / type.of.bytes }, (_, i) =>
        recordToJson(payload.subarray(i * type.of.bytes, (i + 1) * type.of.bytes), type.of),
      );
  }
}

function recordToJson(payload: Uint8Array, { fields }: RecordType): Json {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const read = ({ scalar, offset }: FieldModel, i: number): Json =>
    scalarToJson(view, offset + i * SCALARS[scalar].bytes, scalar);
  return Object.fromEntries(
    fields.map((field) => [
      field.name,
      field.count === null ? read(field, 0) : Array.from({ length: field.count }, (_, i) => read(field, i)),
    ]),
  );
}

function scalarToJson(view: DataView, at: number, scalar: ScalarName): Json {
  const value = readScalar(view, at, scalar);
  if (scalar === 'bool') return value !== 0;
  return typeof value === 'bigint' ? long(value) : finite(value);
}

/** JSON has no NaN and no infinity. */
const finite = (value: number): Json => (Number.isFinite(value) ? value : null);
const long = (value: bigint): Json =>
  value >= -9007199254740991n && value <= 9007199254740991n ? Number(value) : value.toString();

/** RFC 8949, 6.1: byte strings as base64url, keys as text. */
function toJson(value: unknown): Json {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, entry]) => [String(key), toJson(entry)]));
  if (Array.isArray(value)) return value.map(toJson);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64url');
  if (typeof value === 'bigint') return long(value);
  if (typeof value === 'number') return finite(value);
  return value === undefined ? null : (value as Json);
}

/** JSON Schema of a payload, for OpenAPI. */
export function jsonSchema(type: PayloadType): Record<string, unknown> {
  const { max } = payloadBounds(type);
  switch (type.kind) {
    case 'utf8':
      return { type: 'string', maxLength: max };
    case 'bytes':
      return { type: 'string', contentEncoding: 'base64', maxLength: Math.ceil(max / 3) * 4 };
    case 'cbor':
      return {};
    case 'array':
      return { type: 'array', items: jsonSchema(type.of), minItems: type.min, maxItems: type.max };
    case 'record':
      return {
        type: 'object',
        additionalProperties: false,
        required: type.fields.map(({ name }) => name),
        properties: Object.fromEntries(type.fields.map((field) => [field.name, fieldSchema(field)])),
      };
  }
}

function fieldSchema({ scalar, count, min, max }: FieldModel): Record<string, unknown> {
  let schema: Record<string, unknown> = { type: 'boolean' };
  if (scalar !== 'bool') {
    const low = min ?? SCALARS[scalar].min;
    const high = max ?? SCALARS[scalar].max;
    const isFloat = scalar === 'f32' || scalar === 'f64';
    schema = {
      type: isFloat ? 'number' : SCALARS[scalar].bytes === 8 ? ['integer', 'string'] : 'integer',
      ...(low === null ? {} : { minimum: low }),
      ...(high === null || (SCALARS[scalar].bytes === 8 && max === null) ? {} : { maximum: high }),
    };
  }
  return count === null ? schema : { type: 'array', items: schema, minItems: count, maxItems: count };
}

// Is it exactly one well-formed CBOR item (RFC 8949, appendix C), not nested deeper than the device follows? Takes bytes;
// knows no meaning: what is well-formed and invalid passes, as on the device.

/** Nesting of arrays, maps and indefinite strings. */
const MAX_DEPTH = 8;

const Major = { Bytes: 2, Text: 3, Array: 4, Map: 5, Tag: 6, Simple: 7 } as const;
const INDEFINITE = 31;
const FIRST_LONG = 24;
const LAST_LONG = 27;
const FIRST_LONG_SIMPLE = 32;
const BREAK = 0xff;

/** Position behind the item, or this. */
const BAD = -1;

export function isWellFormedCbor(bytes: Uint8Array): boolean {
  return item(bytes, 0, 0) === bytes.length;
}

/** Big-endian; more than the bytes that there are is as good as any. */
function argumentOf(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = 0; i < count; i++) value = value * 256 + bytes[at + i]!;
  return value;
}

/** Length of the whole tag at `at`, 0 if there is none. */
function tagBytes(bytes: Uint8Array, at: number): number {
  const initial = bytes[at] ?? 0;
  if (initial >> 5 !== Major.Tag) return 0;
  const argument = initial & 31;
  const length = argument < FIRST_LONG ? 1 : argument <= LAST_LONG ? 1 + (1 << (argument - FIRST_LONG)) : 0;
  return length <= bytes.length - at ? length : 0;
}

function item(bytes: Uint8Array, first: number, depth: number): number {
  let start = first;
  // Tags stand before one item, any number of them.
  for (let tag = tagBytes(bytes, start); tag > 0; tag = tagBytes(bytes, start)) start += tag;
  if (start >= bytes.length) return BAD;
  const initial = bytes[start]!;
  const major = initial >> 5;
  let argument = initial & 31;
  let at = start + 1;
  if (argument === INDEFINITE)
    return major >= Major.Bytes && major <= Major.Map ? indefinite(bytes, at, major, depth) : BAD;
  if (argument > LAST_LONG) return BAD;
  if (argument >= FIRST_LONG) {
    const count = 1 << (argument - FIRST_LONG);
    if (bytes.length - at < count) return BAD;
    argument = argumentOf(bytes, at, count);
    at += count;
    if (major === Major.Simple) return count === 1 && argument < FIRST_LONG_SIMPLE ? BAD : at;
  }
  switch (major) {
    case Major.Bytes:
    case Major.Text:
      return argument > bytes.length - at ? BAD : at + argument;
    case Major.Tag: // cut off, or of a reserved length
      return BAD;
    case Major.Array:
    case Major.Map: {
      if (depth === MAX_DEPTH) return BAD;
      const count = major === Major.Map ? 2 * argument : argument;
      for (let i = 0; i < count && at !== BAD; i++) at = item(bytes, at, depth + 1);
      return at;
    }
    default:
      return at;
  }
}

/** Up to a break: chunks of the same kind, items, or pairs of them. */
function indefinite(bytes: Uint8Array, start: number, major: number, depth: number): number {
  if (depth === MAX_DEPTH) return BAD;
  let at = start;
  for (let count = 0; ; count++) {
    if (at >= bytes.length) return BAD;
    const initial = bytes[at]!;
    if (initial === BREAK) return major === Major.Map && count % 2 !== 0 ? BAD : at + 1;
    const isString = major === Major.Bytes || major === Major.Text;
    if (isString && (initial >> 5 !== major || (initial & 31) === INDEFINITE)) return BAD;
    at = item(bytes, at, depth + 1);
    if (at === BAD) return BAD;
  }
}

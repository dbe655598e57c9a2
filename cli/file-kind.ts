// Tells kinds of files by their first bytes. Knows nothing else of them.

export function isElf(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

/** e_type is not ET_REL. */
export function isExecutableElf(bytes: Uint8Array): boolean {
  return isElf(bytes) && (bytes[16] !== 1 || bytes[17] !== 0);
}

export function isWasm(bytes: Uint8Array): boolean {
  return bytes[0] === 0 && bytes[1] === 0x61 && bytes[2] === 0x73 && bytes[3] === 0x6d;
}

/** Begins as a JSON object does. */
export function isJson(bytes: Uint8Array): boolean {
  const first = bytes.find((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d);
  return first === 0x7b;
}

/** A tagged COSE_Sign1: CBOR tag 18, an array of four. */
export function isPackage(bytes: Uint8Array): boolean {
  return bytes[0] === 0xd2 && bytes[1] === 0x84;
}

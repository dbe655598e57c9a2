// Takes the bytes of a .wasm file; says whether it carries a manifest and what it says of name and version. Reads only as
// much as it needs for that: whether the module is right is for the edge to say.

/**
 * @param {Uint8Array} bytes
 * @returns {{ name: string | null, version: string | null } | null} null: no section "things"
 */
export function manifestOf(bytes) {
  for (const section of customSections(bytes)) {
    if (section.name !== 'things') continue;
    return { name: cborText(section.bytes, 'name'), version: cborText(section.bytes, 'version') };
  }
  return null;
}

/** @param {Uint8Array} bytes */
export const isWasm = (bytes) => bytes[0] === 0 && bytes[1] === 0x61 && bytes[2] === 0x73 && bytes[3] === 0x6d;

/** @param {Uint8Array} bytes */
function* customSections(bytes) {
  let at = 8;
  const leb = () => {
    let value = 0;
    for (let shift = 0; shift < 35 && at < bytes.length; shift += 7) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    return value;
  };
  while (isWasm(bytes) && at < bytes.length) {
    const id = bytes[at++];
    const size = leb();
    const end = at + size;
    if (id === 0) {
      const length = leb();
      const name = new TextDecoder().decode(bytes.subarray(at, at + length));
      yield { name, bytes: bytes.subarray(at + length, end) };
    }
    at = end;
  }
}

/**
 * The text of the first key of that name on level "module". Skips by the structure of CBOR (RFC 8949), definite lengths.
 * @param {Uint8Array} bytes
 * @param {string} wanted
 * @returns {string | null}
 */
function cborText(bytes, wanted) {
  let at = 0;
  const head = () => {
    const first = bytes[at++] ?? 0;
    const info = first & 31;
    let value = info;
    if (info >= 24) {
      const length = 2 ** (info - 24);
      value = 0;
      for (let i = 0; i < length && i < 8; i++) value = value * 256 + (bytes[at++] ?? 0);
    }
    return { major: first >> 5, value };
  };
  /** @param {string[]} path @returns {string | null} */
  const find = (path) => {
    if (at >= bytes.length) return null;
    const { major, value } = head();
    if (major === 2 || major === 3) {
      const text = major === 3 ? new TextDecoder().decode(bytes.subarray(at, at + value)) : null;
      at += value;
      return path.join('/') === `module/${wanted}` ? text : null;
    }
    if (major === 4) {
      for (let i = 0; i < value && at < bytes.length; i++) {
        const found = find([...path, '#']);
        if (found !== null) return found;
      }
    } else if (major === 5) {
      for (let i = 0; i < value && at < bytes.length; i++) {
        const key = head();
        const name = new TextDecoder().decode(bytes.subarray(at, at + key.value));
        if (key.major === 2 || key.major === 3) at += key.value;
        const found = find([...path, name]);
        if (found !== null) return found;
      }
    } else if (major === 6) return find(path);
    return null;
  };
  return find([]);
}

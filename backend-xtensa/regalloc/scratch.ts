// Typed arrays for one allocation, cut from a buffer that lives on to the next: most functions are small, and a few
// dozen fresh arrays for each would keep the garbage collector busier than the allocator. Knows nothing of what they
// hold. Nothing taken here may outlive the call of `allocate` it was taken in.

let buffer = new ArrayBuffer(1 << 20);
let used = 0;

/** Makes the whole buffer available again; all arrays taken before are void. */
export function resetScratch(): void {
  used = 0;
}

/** Offset of `bytes` free bytes in `buffer`, 8-aligned. */
function take(bytes: number): number {
  const at = used;
  const end = at + ((bytes + 7) & ~7);
  if (end > buffer.byteLength) {
    // Arrays given out keep the old buffer alive as long as they are used.
    buffer = new ArrayBuffer(Math.max(buffer.byteLength * 2, (bytes + 7) & ~7));
    used = (bytes + 7) & ~7;
    return 0;
  }
  used = end;
  return at;
}

export function i32(length: number, value = 0): Int32Array<ArrayBuffer> {
  const at = take(length * 4);
  return new Int32Array(buffer, at, length).fill(value);
}

export function u32(length: number): Uint32Array<ArrayBuffer> {
  const at = take(length * 4);
  return new Uint32Array(buffer, at, length).fill(0);
}

export function u8(length: number): Uint8Array<ArrayBuffer> {
  const at = take(length);
  return new Uint8Array(buffer, at, length).fill(0);
}

export function f64(length: number, value = 0): Float64Array<ArrayBuffer> {
  const at = take(length * 8);
  return new Float64Array(buffer, at, length).fill(value);
}

/** `array` if it has room for index `need`, else a copy of at least twice its length. */
export function roomI32(array: Int32Array<ArrayBuffer>, need: number): Int32Array<ArrayBuffer> {
  if (need < array.length) return array;
  const grown = i32(Math.max(need + 1, array.length * 2));
  grown.set(array);
  return grown;
}

/** As `roomI32`, for doubles. */
export function roomF64(array: Float64Array<ArrayBuffer>, need: number): Float64Array<ArrayBuffer> {
  if (need < array.length) return array;
  const grown = f64(Math.max(need + 1, array.length * 2));
  grown.set(array);
  return grown;
}

/** As `roomI32`, for bytes. */
export function roomU8(array: Uint8Array<ArrayBuffer>, need: number): Uint8Array<ArrayBuffer> {
  if (need < array.length) return array;
  const grown = u8(Math.max(need + 1, array.length * 2));
  grown.set(array);
  return grown;
}

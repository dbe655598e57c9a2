// Typed arrays that grow by doubling; for the allocator's pools of linked records. Knows nothing of what they hold.

/** `array` if it has room for index `need`, else a copy of at least twice its length. */
export function roomI32(array: Int32Array<ArrayBuffer>, need: number): Int32Array<ArrayBuffer> {
  if (need < array.length) return array;
  const grown = new Int32Array(Math.max(need + 1, array.length * 2));
  grown.set(array);
  return grown;
}

/** As `roomI32`, for doubles. */
export function roomF64(array: Float64Array<ArrayBuffer>, need: number): Float64Array<ArrayBuffer> {
  if (need < array.length) return array;
  const grown = new Float64Array(Math.max(need + 1, array.length * 2));
  grown.set(array);
  return grown;
}

// Value types of the IR. Takes nothing; knows no op, no Wasm binary encoding and no machine register.

/**
 * Types of IR values. Wasm's funcref and externref are `i32` here: a funcref is the address of a function descriptor
 * (null = 0), an externref an opaque host handle (null = 0). `void` is the type of instructions without a result;
 * `multi` the type of calls with two or more results, which `proj` instructions pick apart.
 */
export const enum Type {
  Void = 0,
  I32 = 1,
  I64 = 2,
  F32 = 3,
  F64 = 4,
  Multi = 5,
}

export const TYPE_NAMES = ['void', 'i32', 'i64', 'f32', 'f64', 'multi'] as const;

/** A function signature in IR types. */
export interface Signature {
  readonly params: readonly Type[];
  readonly results: readonly Type[];
  /** Canonical text (abi/signature-id.ts), given where references occur, because their types are i32 here. */
  readonly text?: string;
}

/** Short text of a signature, e.g. `(i32, i64) -> (f32)`. */
export function formatSignature(sig: Signature): string {
  const list = (types: readonly Type[]): string => `(${types.map((t) => TYPE_NAMES[t]).join(', ')})`;
  return `${list(sig.params)} -> ${list(sig.results)}`;
}

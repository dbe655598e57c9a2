// An address region that is filled from its base upwards. Knows nothing of what it is filled with.

/** Rounds up to a multiple of `align`, a power of two; exact beyond 2^31. */
export function alignUp(value: number, align: number): number {
  return Math.ceil(value / align) * align;
}

export class Region {
  cursor: number;
  /** Bytes handed out, without alignment gaps. */
  taken = 0;

  constructor(
    readonly name: string,
    readonly base: number,
    readonly end: number,
  ) {
    this.cursor = base;
  }

  /** Gives the next aligned address. The cursor may pass the end: ask `overflow` when all is placed. */
  take(size: number, align: number): number {
    const address = alignUp(this.cursor, align);
    this.cursor = address + size;
    this.taken += size;
    return address;
  }

  get used(): number {
    return this.cursor - this.base;
  }

  get size(): number {
    return this.end - this.base;
  }

  /** Bytes that do not fit. */
  get overflow(): number {
    return Math.max(0, this.cursor - this.end);
  }
}

// Bodies in blocks that the `coap` library's server keeps between messages, bounded: its own caches grow with every token
// that anybody sends. Takes a server; replaces its two caches by ones of the same shape. Knows no peer beyond the key.
import type { Server } from 'coap';

/** Bodies kept at a time, of all peers and of one; the oldest make room. */
const MAX_ENTRIES = 256;
const MAX_ENTRIES_OF_PEER = 8;

/** What the library calls; `key` is `TOKEN/ADDRESS:PORT`. */
interface BlockCache {
  add(key: string, value: unknown): void;
  remove(key: string): boolean;
  contains(key: string): boolean;
  get(key: string): unknown;
  getWithDefaultInsert(key: string | null): unknown;
  reset(): void;
}

export class BoundedBlockCache implements BlockCache {
  private readonly entries = new Map<string, { readonly value: unknown; readonly until: number }>();

  /**
   * @param lifetimeMs an entry may be used for this long
   * @param empty makes a new entry
   */
  constructor(
    private readonly lifetimeMs: number,
    private readonly empty: () => unknown,
    private readonly clock: () => number = () => performance.now(),
  ) {}

  get size(): number {
    return this.entries.size;
  }

  add(key: string, value: unknown): void {
    this.entries.delete(key);
    const now = this.clock();
    for (const [old, { until }] of this.entries) {
      if (until > now && this.entries.size < MAX_ENTRIES) break;
      this.entries.delete(old);
    }
    const peer = key.slice(key.indexOf('/'));
    const same = [...this.entries.keys()].filter((other) => other.endsWith(peer));
    if (same.length >= MAX_ENTRIES_OF_PEER) this.entries.delete(same[0]!);
    this.entries.set(key, { value, until: now + this.lifetimeMs });
  }

  remove(key: string): boolean {
    return this.entries.delete(key);
  }

  contains(key: string): boolean {
    const entry = this.entries.get(key);
    return entry !== undefined && entry.until > this.clock();
  }

  get(key: string): unknown {
    return this.contains(key) ? this.entries.get(key)!.value : undefined;
  }

  getWithDefaultInsert(key: string | null): unknown {
    if (key === null) return this.empty();
    if (!this.contains(key)) this.add(key, this.empty());
    return this.get(key);
  }

  reset(): void {
    this.entries.clear();
  }
}

/** EXCHANGE_LIFETIME of RFC 7252, 4.8.2. */
const LIFETIME_MS = 247_000;

/** Bounds what a server keeps of bodies in blocks. Before it listens. */
export function boundBlockCaches(server: Server): void {
  const internal = server as unknown as Record<'_block1Cache' | '_block2Cache', BlockCache>;
  internal._block1Cache = new BoundedBlockCache(LIFETIME_MS, () => ({}));
  internal._block2Cache = new BoundedBlockCache(LIFETIME_MS, () => null);
}

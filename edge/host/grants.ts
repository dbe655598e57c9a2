// Grants between modules of an edge host: who may see which bytes of whom, for how long. Takes requests of modules, gives
// window addresses. Knows no thread: contents are fetched by the host.
import { GrantRight } from '../../compiler/abi/os-layout.js';
import { FIRST_CALL_INDEX, MAX_WINDOW_BYTES, windowAddress } from '../worker/windows.js';

export interface Grant {
  readonly window: number;
  readonly owner: string;
  readonly holder: string;
  /** In the owner's memory, or in a call window of the owner's. */
  readonly address: number;
  readonly bytes: number;
  readonly rights: number;
  /** Milliseconds since the host's start; Infinity: until revoked. */
  readonly expires: number;
  readonly parent: Grant | null;
  /** Last invocation of the holder that has seen its bytes; 0: none. */
  usedBy: number;
}

const ALL_RIGHTS = GrantRight.Read | GrantRight.Write;
const WINDOW_MASK = ~(MAX_WINDOW_BYTES - 1);

export class GrantTable {
  /** By window address. */
  private readonly grants = new Map<number, Grant>();
  private readonly generations = new Uint8Array(FIRST_CALL_INDEX);

  /** @param closed told of each window that ends after it was used */
  constructor(
    private readonly now: () => number,
    private readonly closed: (grant: Grant) => void,
  ) {}

  /**
   * A window for `holder` on bytes of `owner`, or on part of a window that `owner` holds (with the same or fewer rights).
   * Gives its address, or 0 if that is not allowed or no window is left.
   */
  grant(owner: string, holder: string, address: number, bytes: number, rights: number, milliseconds: number): number {
    if (rights === 0 || (rights & ~ALL_RIGHTS) !== 0 || bytes === 0 || bytes > MAX_WINDOW_BYTES) return 0;
    const parent = address < 0 ? this.find(address & WINDOW_MASK, owner) : null;
    if (parent !== null) {
      const offset = address & (MAX_WINDOW_BYTES - 1);
      if ((parent.rights & rights) !== rights || offset + bytes > parent.bytes) return 0;
    } else if (address < 0 && ((address >>> 18) & 63) < FIRST_CALL_INDEX) return 0;
    for (let index = 0; index < FIRST_CALL_INDEX; index++) {
      const window = windowAddress(index, this.generations[index]!);
      if (this.grants.has(window)) continue;
      const offset = address & (MAX_WINDOW_BYTES - 1);
      const expires = milliseconds > 0 ? this.now() + milliseconds : Infinity;
      this.grants.set(window, {
        window,
        owner: parent?.owner ?? owner,
        holder,
        address: parent === null ? address : parent.address + offset,
        bytes,
        rights,
        expires: Math.min(expires, parent?.expires ?? Infinity),
        parent,
        usedBy: 0,
      });
      return window;
    }
    return 0;
  }

  /** The grant behind a window address that `holder` uses; null if there is none (any more). */
  find(window: number, holder: string): Grant | null {
    const grant = this.grants.get(window);
    if (grant === undefined || grant.holder !== holder) return null;
    if (grant.expires > this.now()) return grant;
    this.drop(grant);
    return null;
  }

  /** Takes a window back: only who gave it may. Descendants go with it. */
  revoke(window: number, by: string): boolean {
    const grant = this.grants.get(window);
    if (grant === undefined || (grant.parent === null ? grant.owner : grant.parent.holder) !== by) return false;
    this.drop(grant);
    return true;
  }

  /** Everything that a module has given or holds. */
  revokeAll(module: string): void {
    for (const grant of [...this.grants.values()])
      if (grant.owner === module || grant.holder === module) this.drop(grant);
  }

  private drop(grant: Grant): void {
    if (!this.grants.delete(grant.window)) return;
    if (grant.usedBy !== 0) this.closed(grant);
    const index = (grant.window >>> 18) & 63;
    this.generations[index] = (this.generations[index]! + 1) % 128;
    for (const other of [...this.grants.values()]) if (other.parent === grant) this.drop(other);
  }
}

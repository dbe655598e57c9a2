// Bytes by their SHA-256 in a NATS object store: packages for good, large messages for a while. Takes and gives bytes; knows
// nothing of what they are.
import { createHash } from 'node:crypto';
import { jetstream } from '@nats-io/jetstream';
import { Objm, type ObjectStore } from '@nats-io/obj';
import { nanos } from '@nats-io/transport-node';
import type { PackageStore } from '../fleet/packages.js';
import type { Connection } from './connection.js';

/** For each of a store's requests. */
const ANSWER_MS = 5_000;
/** Hashes that are known to be there. */
const MAX_KNOWN = 10_000;

export class Blobs implements PackageStore {
  private store: Promise<ObjectStore> | null = null;
  private readonly known = new Set<string>();

  /** @param keepMs null: for good */
  constructor(
    private readonly connection: Connection,
    private readonly name: string,
    private readonly replicas: number,
    private readonly keepMs: number | null,
  ) {
    // A server that was started anew may have lost them.
    connection.watch(() => this.known.clear());
  }

  /** Gives the hash, hexadecimal. */
  async put(bytes: Uint8Array): Promise<string> {
    const hash = createHash('sha256').update(bytes).digest('hex');
    if (this.known.has(hash)) return hash;
    const store = await this.open();
    // One that is for a while is written again: it may be about to go.
    if (this.keepMs !== null || (await store.info(hash)) === null || (await this.get(hash)) === null)
      await store.putBlob({ name: hash }, bytes);
    if (this.known.size >= MAX_KNOWN) this.known.clear();
    if (this.keepMs === null) this.known.add(hash);
    return hash;
  }

  /** Null: it is not there, or damaged. */
  async get(hash: string): Promise<Uint8Array | null> {
    if (!/^[0-9a-f]{64}$/.test(hash)) return null;
    const bytes = await (await this.open()).getBlob(hash).catch(() => null);
    if (bytes === null || createHash('sha256').update(bytes).digest('hex') !== hash) return null;
    return bytes;
  }

  private open(): Promise<ObjectStore> {
    const { keepMs, replicas } = this;
    const objm = new Objm(jetstream(this.connection.client, { timeout: ANSWER_MS }));
    this.store ??= objm
      .create(this.name, { replicas, ...(keepMs === null ? {} : { ttl: nanos(keepMs) }) })
      .catch((error: unknown) => {
        this.store = null;
        throw error;
      });
    return this.store;
  }
}

// Follows one NATS bucket: all of it at first, then each change in order; after a reconnection only what has changed, if the
// bucket is still the one that was read. Takes a connection; gives entries.
// Knows nothing of what is in them.
import { jetstream } from '@nats-io/jetstream';
import { Kvm, type KV, type KvOptions, type KvWatchEntry } from '@nats-io/kv';
import type { QueuedIterator } from '@nats-io/transport-node';
import type { Connection } from '../nats/connection.js';

export interface BucketEntry {
  readonly key: string;
  readonly revision: number;
  /** Null: it was deleted. */
  readonly value: Uint8Array | null;
}

export interface BucketListener {
  /** The bucket's whole contents: what is not there is gone. */
  reset(entries: readonly BucketEntry[]): void;
  change(entry: BucketEntry): void;
  /** Connected again; what has changed meanwhile comes as changes. */
  resumed?(): void;
  /** Entries that are written again and again, and missed by nobody for long. */
  isFleeting?(key: string): boolean;
}

/** The newest entry that is not fleeting: while it is in the bucket, all before it is as it was read. */
interface Anchor {
  readonly key: string;
  readonly revision: number;
  readonly created: number;
}

/** JetStream answers in this time or not at all. */
const ANSWER_MS = 2_000;
/** Pause before trying again when the server is there and JetStream is not yet. */
const RETRY_MS = 250;
/** How often to look whether a bucket has become empty while its first entries were waited for. */
const EMPTY_CHECK_MS = 1_000;

export class BucketMirror {
  private bucket: KV | null = null;
  private watching: QueuedIterator<KvWatchEntry> | null = null;
  private closed = false;
  private complete = false;
  private anchor: Anchor | null = null;
  private readonly waiters = new Set<() => void>();
  private readonly unwatch: () => void;
  private readonly kvm: Kvm;

  constructor(
    private readonly connection: Connection,
    private readonly name: string,
    private readonly options: Partial<KvOptions>,
    private readonly listener: BucketListener,
  ) {
    this.kvm = new Kvm(jetstream(connection.client, { timeout: ANSWER_MS }));
    this.unwatch = connection.watch((connected) => {
      if (!connected) this.complete = false;
      this.watching?.stop();
    });
    void this.run();
  }

  /** The bucket, once its contents are here; null after `ms`. */
  async ready(ms: number): Promise<KV | null> {
    if (!this.complete && ms > 0)
      await new Promise<void>((resolve) => {
        const end = (): void => {
          clearTimeout(timer);
          this.waiters.delete(end);
          resolve();
        };
        const timer = setTimeout(end, ms);
        this.waiters.add(end);
      });
    return this.complete ? this.bucket : null;
  }

  /** The bucket, whether its contents are here or not; null before it was first seen. */
  get handle(): KV | null {
    return this.bucket;
  }

  close(): void {
    this.closed = true;
    this.unwatch();
    this.watching?.stop();
    for (const wake of [...this.waiters]) wake();
  }

  private async run(): Promise<void> {
    while (!this.closed) {
      try {
        if (await this.connection.whenConnected(RETRY_MS)) await this.follow();
      } catch {
        // JetStream starts after the server, or the connection went again.
      }
      this.complete = false;
      if (!this.closed) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  /** Until the watch ends. */
  private async follow(): Promise<void> {
    const bucket = await this.kvm.create(this.name, this.options);
    this.bucket = bucket;
    const from = await this.resumable(bucket);
    const last = (await bucket.status()).streamInfo.state.last_seq;
    const watching = await bucket.watch(from === null ? {} : { resumeFromRevision: from });
    this.watching = watching;
    if (!this.connection.connected || this.closed) return watching.stop();
    const first: BucketEntry[] = [];
    let initial = true;
    const begin = (): void => {
      if (!initial) return;
      initial = false;
      clearInterval(timer);
      if (from === null) this.listener.reset(first);
      this.complete = true;
      for (const wake of [...this.waiters]) wake();
    };
    // An empty bucket sends nothing that would say so; what was last may have been deleted.
    const emptyCheck = async (): Promise<void> => {
      if (from === null && first.length === 0 && (await bucket.status()).values === 0) begin();
    };
    const timer = setInterval(
      () => (from === null ? void emptyCheck().catch(() => undefined) : begin()),
      EMPTY_CHECK_MS,
    );
    try {
      if (from === null) {
        this.anchor = null;
        await emptyCheck();
      } else {
        this.listener.resumed?.();
        if (last < from) begin();
      }
      for await (const entry of watching) {
        const { key, revision, operation, value, isUpdate } = entry;
        const seen: BucketEntry = { key, revision, value: operation === 'PUT' ? value : null };
        this.note(entry);
        if (initial && from === null) {
          first.push(seen);
          if (isUpdate) begin();
          continue;
        }
        this.listener.change(seen);
        if (revision >= last) begin();
      }
    } finally {
      clearInterval(timer);
      watching.stop();
    }
  }

  private note({ key, revision, operation, created }: KvWatchEntry): void {
    if (this.listener.isFleeting?.(key) === true || revision < (this.anchor?.revision ?? 0)) return;
    // A deletion leaves nothing to go by: then all is read anew.
    this.anchor = operation === 'PUT' ? { key, revision, created: created.getTime() } : null;
  }

  /** The revision to go on from; null: all must be read. */
  private async resumable(bucket: KV): Promise<number | null> {
    const { anchor } = this;
    if (anchor === null) return null;
    const there = await bucket.get(anchor.key, { revision: anchor.revision });
    return there?.created.getTime() === anchor.created && there.operation === 'PUT' ? anchor.revision + 1 : null;
  }
}

// Follows one NATS bucket: all of it after each (re)connection, then each change in order. Takes a connection; gives entries.
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
    // What was missed meanwhile is not told apart from what was not: everything is read anew.
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
    const watching = await bucket.watch();
    this.watching = watching;
    if (!this.connection.connected || this.closed) return watching.stop();
    const first: BucketEntry[] = [];
    let initial = true;
    const begin = (): void => {
      if (!initial) return;
      initial = false;
      clearInterval(timer);
      this.listener.reset(first);
      this.complete = true;
      for (const wake of [...this.waiters]) wake();
    };
    // An empty bucket sends nothing that would say so.
    const emptyCheck = async (): Promise<void> => {
      if (initial && first.length === 0 && (await bucket.status()).values === 0) begin();
    };
    const timer = setInterval(() => void emptyCheck().catch(() => undefined), EMPTY_CHECK_MS);
    try {
      await emptyCheck();
      for await (const entry of watching) {
        const { key, revision, operation, value, isUpdate } = entry;
        const seen: BucketEntry = { key, revision, value: operation === 'PUT' ? value : null };
        if (!initial) this.listener.change(seen);
        else {
          first.push(seen);
          if (isUpdate) begin();
        }
      }
    } finally {
      clearInterval(timer);
      watching.stop();
    }
  }
}

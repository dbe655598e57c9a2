// Fleet events over NATS: what is published at one edge reaches those who watch at any, at most once, in order for each
// sender. Takes and gives events; knows none of them.
import type { Subscription } from '@nats-io/transport-node';
import { promisify } from 'node:util';
import { deflateRawSync, inflateRaw } from 'node:zlib';
import type { FleetEvent, FleetEvents } from '../fleet/events.js';
import type { Envelopes } from '../security/envelope.js';
import type { Connection } from './connection.js';
import type { Subjects } from './subjects.js';

/** What comes within this time goes in one message. */
const COLLECT_MS = 20;
/** Text of one message at most; a longer event stays at its edge. */
const MAX_TEXT = 256 * 1024;
const MAX_MESSAGE = 64 * 1024 * 1024;
const FASTEST = { level: 1 };
const inflate = promisify(inflateRaw) as (bytes: Uint8Array, options: object) => Promise<Buffer>;

export class NatsEvents implements FleetEvents {
  private readonly listeners = new Set<(event: FleetEvent) => void>();
  private others: Subscription | null = null;
  private collected: string[] = [];
  private length = 0;
  private timer: NodeJS.Timeout | null = null;
  /** Messages are opened one after the other, so that their order stays. */
  private last: Promise<void> = Promise.resolve();

  constructor(
    private readonly connection: Connection,
    private readonly subjects: Subjects,
    private readonly envelopes: Envelopes,
    private readonly edge: string,
  ) {}

  publish(event: FleetEvent): void {
    this.tell(event);
    const text = JSON.stringify(event);
    if (!this.connection.connected || text.length > MAX_TEXT) return;
    if (this.length + text.length > MAX_TEXT) this.flush();
    this.collected.push(text);
    this.length += text.length;
    this.timer ??= setTimeout(() => this.flush(), COLLECT_MS);
  }

  watch(listener: (event: FleetEvent) => void): () => void {
    this.listeners.add(listener);
    this.others ??= this.connection.client.subscribe(this.subjects.events(null), {
      callback: (error, { subject, data }) => {
        if (error === null && subject !== this.subjects.events(this.edge))
          this.last = this.last.then(() => this.receive(data)).catch(() => undefined);
      },
    });
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size > 0) return;
      this.others?.unsubscribe();
      this.others = null;
    };
  }

  close(): void {
    this.flush();
    this.listeners.clear();
    this.others?.unsubscribe();
  }

  private tell(event: FleetEvent): void {
    for (const listener of [...this.listeners]) listener(event);
  }

  private flush(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    const events = this.collected;
    this.collected = [];
    this.length = 0;
    if (events.length === 0 || !this.connection.connected || this.connection.client.isClosed()) return;
    const body = deflateRawSync(`[${events.join(',')}]`, FASTEST);
    const { bytes } = this.envelopes.seal({ kind: 'event', to: '*', caller: '', body });
    if (bytes.length <= this.connection.maxPayload)
      this.connection.client.publish(this.subjects.events(this.edge), bytes);
  }

  /** Messages that cannot be opened are not of this fleet. */
  private async receive(data: Uint8Array): Promise<void> {
    const { body } = this.envelopes.open(data, { kind: 'event' });
    const text = (await inflate(body, { maxOutputLength: MAX_MESSAGE })).toString();
    for (const event of JSON.parse(text) as FleetEvent[]) this.tell(event);
  }
}

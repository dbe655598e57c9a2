// Requests of a device: repeated messages are answered and not run again, answers that take long come separately,
// observers are told of changes (RFC 7252, 7641). Takes messages, gives messages. Knows no line and no route.
import { Method, ResponseCode } from '../../compiler/abi/os-layout.js';
import type { Answer } from '../worker/protocol.js';
import type { Message, Outgoing } from './coap-message.js';

export interface ServerHandlers {
  request(message: Message): Promise<Answer>;
  /** Gives a function that ends it; null: it cannot be observed. */
  observe(message: Message, changed: () => void): (() => void) | null;
}

/** A request that is not answered by then is acknowledged alone. */
const ACK_AFTER_MS = 100;
const FIRST_TIMEOUT_MS = 500;
const MOST_REPETITIONS = 5;
/** How long a repetition can come: what a device's own repetitions take. */
const LIFETIME_MS = 30_000;
const MOST_OBSERVERS = 64;
/** Requests remembered at a time, the oldest are forgotten first: a device has 65,536 numbers of its own choice. */
const MOST_SERVED = 2048;

interface Served {
  readonly since: number;
  /** What answers a repetition; null: nothing yet. */
  reply: Outgoing | null;
}

interface Observer {
  readonly message: Message;
  stop: () => void;
  sequence: number;
  /** A notification is under way; `again`: there is something newer. */
  busy: boolean;
  again: boolean;
}

interface Unconfirmed {
  readonly settle: (fine: boolean) => void;
  timer: NodeJS.Timeout;
}

export class CoapServer {
  private readonly served = new Map<string, Served>();
  private readonly observers = new Map<string, Observer>();
  private readonly unconfirmed = new Map<number, Unconfirmed>();
  private closed = false;

  constructor(
    private readonly send: (message: Outgoing) => void,
    private readonly nextId: () => number,
    private readonly handlers: ServerHandlers,
  ) {}

  /** A request. */
  receive(message: Message): void {
    const key = `${message.id} ${message.token}`;
    const known = this.served.get(key);
    if (known !== undefined) {
      if (known.reply !== null) this.send(known.reply);
      return;
    }
    this.expire();
    const served: Served = { since: performance.now(), reply: null };
    this.served.set(key, served);
    void this.answer(message, served);
  }

  /** An empty acknowledgement or a reset. */
  confirm({ id, type }: Message): void {
    const waiting = this.unconfirmed.get(id);
    if (waiting === undefined) return;
    clearTimeout(waiting.timer);
    this.unconfirmed.delete(id);
    waiting.settle(type === 'ack');
  }

  /** The device has begun anew: its message numbers mean something else, and it observes nothing. */
  forget(): void {
    this.served.clear();
    for (const { stop } of this.observers.values()) stop();
    this.observers.clear();
    for (const { timer, settle } of [...this.unconfirmed.values()]) {
      clearTimeout(timer);
      settle(false);
    }
    this.unconfirmed.clear();
  }

  close(): void {
    this.closed = true;
    this.forget();
  }

  private async answer(message: Message, served: Served): Promise<void> {
    const { id, token, type } = message;
    let separate = type === 'non';
    const timer = setTimeout(() => {
      separate = true;
      served.reply = { type: 'ack', id };
      this.send(served.reply);
    }, ACK_AFTER_MS);
    if (separate) clearTimeout(timer);
    const observer = this.register(message);
    const { code, payload } = await this.run(message);
    clearTimeout(timer);
    if (this.closed) return;
    const fine = code >> 5 === 2;
    if (observer !== null && !fine) this.drop(token, observer);
    const observe = observer !== null && fine ? observer.sequence : null;
    const reply = { code, token, payload: Buffer.from(payload), observe };
    if (!separate) {
      served.reply = { ...reply, type: 'ack', id };
      this.send(served.reply);
    } else if (type === 'non') this.send((served.reply = { ...reply, type: 'non', id: this.nextId() }));
    else await this.deliver(reply);
    if (observer !== null) this.ready(token, observer);
  }

  private async run(message: Message): Promise<Answer> {
    try {
      return await this.handlers.request(message);
    } catch {
      return { code: ResponseCode.InternalServerError, payload: new Uint8Array(0) };
    }
  }

  /** Takes the device as an observer, before its request runs: no change in between is missed. */
  private register(message: Message): Observer | null {
    const { token, observe, code } = message;
    if (observe === null || code !== Method.Get) return null;
    const known = this.observers.get(token);
    if (known !== undefined) this.drop(token, known);
    if (observe !== 0 || this.observers.size >= MOST_OBSERVERS) return null;
    // Busy until the first answer is out.
    const observer: Observer = { message, stop: () => undefined, sequence: 2, busy: true, again: false };
    const stop = this.handlers.observe(message, () => this.changed(token, observer));
    if (stop === null) return null;
    observer.stop = stop;
    this.observers.set(token, observer);
    return observer;
  }

  private drop(token: string, observer: Observer): void {
    observer.stop();
    if (this.observers.get(token) === observer) this.observers.delete(token);
  }

  private changed(token: string, observer: Observer): void {
    if (observer.busy) observer.again = true;
    else void this.notify(token, observer);
  }

  private async notify(token: string, observer: Observer): Promise<void> {
    observer.busy = true;
    observer.again = false;
    const { code, payload } = await this.run(observer.message);
    if (this.observers.get(token) !== observer) return;
    const fine = code >> 5 === 2;
    observer.sequence = (observer.sequence + 1) & 0xffffff;
    const message = { code, token, payload: Buffer.from(payload), observe: fine ? observer.sequence : null };
    const taken = await this.deliver(message);
    if (!fine || !taken) this.drop(token, observer);
    this.ready(token, observer);
  }

  private ready(token: string, observer: Observer): void {
    observer.busy = false;
    if (observer.again && this.observers.get(token) === observer) void this.notify(token, observer);
  }

  /** Sends a confirmable message until it is acknowledged (true), refused, or given up. */
  private deliver(message: Partial<Outgoing>): Promise<boolean> {
    const id = this.nextId();
    return new Promise((settle) => {
      let left = MOST_REPETITIONS;
      const transmit = (waitMs: number): void => {
        if (this.closed || left-- < 0) {
          this.unconfirmed.delete(id);
          settle(false);
          return;
        }
        const timer = setTimeout(() => transmit(2 * waitMs), waitMs);
        this.unconfirmed.set(id, { settle, timer });
        this.send({ ...message, type: 'con', id });
      };
      transmit(FIRST_TIMEOUT_MS);
    });
  }

  /** Insertion order is order of time. */
  private expire(): void {
    const now = performance.now();
    for (const [key, { since }] of this.served) {
      if (now - since < LIFETIME_MS && this.served.size < MOST_SERVED) return;
      this.served.delete(key);
    }
  }
}

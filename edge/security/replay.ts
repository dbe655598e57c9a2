// Remembers which messages have come, so that a copy is refused. Takes senders, numbers used once and times; memory is
// bounded. Knows no keys and no network.

/** Messages remembered of one sender at a time. */
const MAX_ENTRIES = 50_000;
/** Senders remembered at a time; only those with a certificate get here. */
const MAX_SENDERS = 10_000;

interface Sender {
  /** Time of each message by its number, in order of arrival. */
  readonly seen: Map<string, number>;
  /** Messages as old as this are refused: what is forgotten cannot come again. */
  floor: number;
}

export class ReplayCache {
  private readonly senders = new Map<string, Sender>();
  /** For senders that were forgotten. */
  private floor: number;

  /**
   * @param windowMs how far a message's time may be from ours
   * @param start older messages are refused: what came before this process ran is not remembered
   */
  constructor(
    private readonly windowMs: number,
    start: number,
    private readonly limits: { readonly entries: number; readonly senders: number } = {
      entries: MAX_ENTRIES,
      senders: MAX_SENDERS,
    },
  ) {
    this.floor = start - 1;
  }

  /** Why a message is refused; null: it is new, and from now on it is not. `time`, `now`: milliseconds since 1970. */
  take(from: string, number: string, time: number, now: number): 'time' | 'replay' | null {
    if (Math.abs(now - time) > this.windowMs) return 'time';
    const sender = this.sender(from);
    if (time <= sender.floor) return 'time';
    if (sender.seen.has(number)) return 'replay';
    sender.seen.set(number, time);
    for (const [old, then] of sender.seen) {
      if (sender.seen.size <= this.limits.entries && now - then <= this.windowMs) break;
      sender.seen.delete(old);
      sender.floor = Math.max(sender.floor, then);
    }
    return null;
  }

  private sender(from: string): Sender {
    const known = this.senders.get(from);
    if (known !== undefined) return known;
    const [oldest] = this.senders;
    if (oldest !== undefined && this.senders.size >= this.limits.senders) {
      const [name, { seen, floor }] = oldest;
      this.senders.delete(name);
      this.floor = [...seen.values()].reduce((a, b) => Math.max(a, b), Math.max(this.floor, floor));
    }
    const sender: Sender = { seen: new Map(), floor: this.floor };
    this.senders.set(from, sender);
    return sender;
  }
}

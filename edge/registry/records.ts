// Values of a NATS bucket: JSON, sealed by the edge that writes, so that who can write to NATS cannot speak for an edge. Takes
// and gives values; knows no bucket.
import { EnvelopeRefused, type Envelopes } from '../security/envelope.js';

export class Records<T> {
  /**
   * @param kind of the bucket: a record of one counts in no other
   * @param onRefused a value that no edge of the fleet has written: it is as if it were not there
   */
  constructor(
    private readonly kind: string,
    private readonly envelopes: Envelopes,
    private readonly onRefused: (key: string, reason: string) => void = () => undefined,
  ) {}

  write(key: string, value: T): Uint8Array {
    return this.envelopes.sealRecord(`${this.kind} ${key}`, Buffer.from(JSON.stringify(value)));
  }

  /** The value and the edge that wrote it; null: it does not count. */
  read(key: string, bytes: Uint8Array): { readonly from: string; readonly value: T } | null {
    try {
      const { from, body } = this.envelopes.openRecord(`${this.kind} ${key}`, bytes);
      return { from, value: JSON.parse(Buffer.from(body).toString()) as T };
    } catch (error) {
      if (!(error instanceof EnvelopeRefused) && !(error instanceof SyntaxError)) throw error;
      this.onRefused(key, error.message);
      return null;
    }
  }
}

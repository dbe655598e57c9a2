// How a certificate is named to people. Takes bytes, gives text.
import { createHash } from 'node:crypto';

/** SHA-256 of a certificate's bytes, as `AB:CD:...`. */
export function fingerprintOf(raw: Uint8Array): string {
  const digest = createHash('sha256').update(raw).digest('hex').toUpperCase();
  return digest.match(/../g)!.join(':');
}

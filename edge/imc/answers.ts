// What a handler may answer, by the rules of the device's kernel. Takes an answer and the contract's type; knows no module.
import { ResponseCode } from '../../compiler/abi/os-layout.js';
import { payloadBounds, type PayloadType } from '../../manifest/model.js';
import { checkPayload } from './payload.js';

/** Bytes of text that an error response may carry. */
const MAX_ERROR_TEXT = 64;

/** What is wrong with an answer; null: nothing. */
export function breachOf(code: number, payload: Uint8Array, type: PayloadType | null): string | null {
  const kind = code >> 5;
  if (kind !== 2 && kind !== 4 && kind !== 5) return `answers with code ${kind}.${String(code & 31).padStart(2, '0')}`;
  if (kind !== 2) return payload.length > MAX_ERROR_TEXT ? `error text of ${payload.length} bytes` : null;
  // Only content must be there: 2.04 and the like come without.
  if (payload.length === 0)
    return code === ResponseCode.Content && type !== null && payloadBounds(type).min > 0
      ? 'answers without its payload'
      : null;
  return checkPayload(payload, type) === null ? null : 'answers against its contract';
}

// Response codes of CoAP and HTTP (RFC 8075, 7). Pure data and arithmetic.
import { ResponseCode } from '../../compiler/abi/os-layout.js';

const HTTP_STATUS: Readonly<Record<number, number>> = {
  [ResponseCode.Created]: 201,
  [ResponseCode.Deleted]: 200,
  [ResponseCode.Valid]: 304,
  [ResponseCode.Changed]: 200,
  [ResponseCode.Content]: 200,
  // RFC 8075 maps 4.01 to 403, as 401 would need a challenge that CoAP has not.
  [ResponseCode.Unauthorized]: 403,
  [ResponseCode.BadOption]: 400,
  [ResponseCode.MethodNotAllowed]: 405,
};

/** HTTP status of a response code; an unknown one by its class. An answer without payload to a change is 204. */
export function httpStatus(code: number, payloadBytes: number): number {
  const empty = payloadBytes === 0 && (code === ResponseCode.Deleted || code === ResponseCode.Changed);
  if (empty) return 204;
  const known = HTTP_STATUS[code];
  if (known !== undefined) return known;
  const [kind, detail] = [code >> 5, code & 31];
  if (kind === 4 || kind === 5) return kind * 100 + detail;
  return 502;
}

/** "4.04" */
export const codeText = (code: number): string => `${code >> 5}.${String(code & 31).padStart(2, '0')}`;

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(ResponseCode).map(([name, code]) => [code, name.replace(/(?!^)([A-Z])/g, ' $1').toLowerCase()]),
);
/** "not found" */
export const codeName = (code: number): string => NAMES.get(code) ?? 'unknown code';

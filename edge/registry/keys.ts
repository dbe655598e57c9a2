// Names as keys of a NATS bucket: tokens between dots. Takes and gives strings; knows no bucket.

/** Letters, digits, `_` and `-` as they are; all others as `=` and two hexadecimal digits for each byte of UTF-8. */
export function encodeToken(text: string): string {
  const encoded = text.replace(/[^A-Za-z0-9_-]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `=${byte.toString(16).padStart(2, '0')}`).join(''),
  );
  // A token cannot be empty.
  return encoded === '' ? '=' : encoded;
}

export function decodeToken(token: string): string {
  if (token === '=') return '';
  return Buffer.from(
    token.replace(/=([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
    'latin1',
  ).toString();
}

export const joinKey = (...parts: readonly string[]): string => parts.map(encodeToken).join('.');
export const splitKey = (key: string): string[] => key.split('.').map(decodeToken);

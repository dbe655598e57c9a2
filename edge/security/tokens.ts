// Tokens of people and programs: made, shown once, kept as hashes. Takes a file (or none: then in memory); gives who a
// token belongs to. Knows no HTTP.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { statSync } from 'node:fs';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { isName } from './certificate.js';
import { readPrivateFile, writePrivateFile } from './private-file.js';
import { isRole, ROLES, type Role } from './roles.js';

/** What is known of a token; the token itself is not. */
export interface TokenRecord {
  /** Whose; services see `user:NAME`. */
  readonly name: string;
  readonly role: Role;
  /** First part of the token, not secret. */
  readonly id: string;
  /** SHA-256 of the whole token, base64url. A token is random, so there is nothing to guess and no need for a slow hash. */
  readonly hash: string;
  /** Milliseconds since 1970. */
  readonly created: number;
  /** Null: does not end. */
  readonly expires: number | null;
}

const PREFIX = 'ths';
const ID_BYTES = 6;
const SECRET_BYTES = 32;
const TOKEN = /^ths_([0-9a-f]{12})_[A-Za-z0-9_-]{43}$/;
const VERSION = 1;

const hashOf = (token: string): Buffer => createHash('sha256').update(token).digest();
/** Compared with when nobody has the id, so that it takes the same time. */
const NOBODY = Buffer.alloc(32);

/**
 * A length of time such as `30d`, `12h`, `15m` or `90s`, in milliseconds.
 * @throws DiagnosticError W911
 */
export function parseLifetime(text: string): number {
  const [, count, unit] = /^(\d{1,6})([smhdy])$/.exec(text) ?? [];
  const seconds = { s: 1, m: 60, h: 3600, d: 86_400, y: 365 * 86_400 }[unit ?? ''];
  if (seconds === undefined || Number(count) === 0)
    throw new DiagnosticError('W911', `"${text}" is not a time such as 30d, 12h or 15m`);
  return Number(count) * seconds * 1000;
}

export class TokenStore {
  private records: TokenRecord[] = [];
  /** What the file was when it was read: the command line changes it under a running edge. */
  private stamp = '';

  /**
   * @param path null: tokens end with the process
   * @throws DiagnosticError W911 a file that is not ours, W913 readable by others
   */
  constructor(
    private readonly path: string | null,
    private readonly clock: () => number = Date.now,
  ) {
    this.refresh();
  }

  /** Reads the file again if it has changed. True if it had. */
  refresh(): boolean {
    if (this.path === null) return false;
    const stat = statSync(this.path, { throwIfNoEntry: false });
    const stamp = stat === undefined ? '' : `${stat.ino} ${stat.mtimeMs} ${stat.size}`;
    if (stamp === this.stamp) return false;
    const bytes = readPrivateFile(this.path);
    this.records = bytes === null ? [] : parse(bytes.toString('utf8'), this.path);
    this.stamp = stamp;
    return true;
  }

  /** All that have not ended. */
  list(): readonly TokenRecord[] {
    return this.records.filter((record) => this.isAlive(record));
  }

  /** Whether anybody was ever given a token: an edge does not become open again because they have all ended. */
  get any(): boolean {
    return this.records.length > 0;
  }

  /**
   * Makes a token. It is in the result and nowhere else.
   * @throws DiagnosticError W911 for a name that is taken or not one, an unknown role
   */
  add(name: string, role: string, lifetimeMs: number | null): { readonly token: string; readonly record: TokenRecord } {
    if (!isName(name)) throw new DiagnosticError('W911', `"${name}": lower-case letters, digits and hyphens`);
    if (!isRole(role)) throw new DiagnosticError('W911', `"${role}" is not a role: ${ROLES.join(', ')}`);
    this.refresh();
    const old = this.records.find((record) => record.name === name);
    if (old !== undefined && this.isAlive(old))
      throw new DiagnosticError('W911', `"${name}" has a token: revoke it first`);
    const id = randomBytes(ID_BYTES).toString('hex');
    const token = `${PREFIX}_${id}_${randomBytes(SECRET_BYTES).toString('base64url')}`;
    const created = this.clock();
    const hash = hashOf(token).toString('base64url');
    const record = { name, role, id, hash, created, expires: lifetimeMs === null ? null : created + lifetimeMs };
    this.write([...this.records.filter((entry) => entry !== old), record]);
    return { token, record };
  }

  /** False if nobody of that name has one. */
  revoke(name: string): boolean {
    this.refresh();
    const rest = this.records.filter((record) => record.name !== name);
    if (rest.length === this.records.length) return false;
    this.write(rest);
    return true;
  }

  /** Whose token it is; null: nobody's, or it has ended. Takes as long for a wrong one as for a right one. */
  find(token: string): TokenRecord | null {
    const [, id] = TOKEN.exec(token) ?? [];
    const record = this.records.find((entry) => entry.id === id);
    const known = record === undefined ? NOBODY : Buffer.from(record.hash, 'base64url');
    const same = timingSafeEqual(hashOf(token), known);
    return record !== undefined && same && this.isAlive(record) ? record : null;
  }

  /** The token of that id, if it still counts. */
  alive(id: string): TokenRecord | null {
    const record = this.records.find((entry) => entry.id === id);
    return record !== undefined && this.isAlive(record) ? record : null;
  }

  private isAlive({ expires }: TokenRecord): boolean {
    return expires === null || this.clock() < expires;
  }

  private write(records: TokenRecord[]): void {
    if (this.path !== null) writePrivateFile(this.path, `${JSON.stringify({ version: VERSION, tokens: records })}\n`);
    this.records = records;
    this.refresh();
  }
}

function parse(text: string, file: string): TokenRecord[] {
  let value: { readonly version?: unknown; readonly tokens?: unknown } | null;
  try {
    value = JSON.parse(text) as typeof value;
  } catch {
    throw new DiagnosticError('W911', 'not a list of tokens', { file });
  }
  const list = value?.version === VERSION && Array.isArray(value.tokens) ? (value.tokens as TokenRecord[]) : null;
  if (list === null || !list.every(isRecord)) throw new DiagnosticError('W911', 'not a list of tokens', { file });
  return list;
}

function isRecord(value: unknown): value is TokenRecord {
  const { name, role, id, hash, created, expires } = (value ?? {}) as Partial<Record<keyof TokenRecord, unknown>>;
  const texts = typeof name === 'string' && typeof id === 'string' && typeof hash === 'string';
  if (!texts || Buffer.from(hash, 'base64url').length !== NOBODY.length) return false;
  return (
    isName(name) && isRole(role) && typeof created === 'number' && (expires === null || typeof expires === 'number')
  );
}

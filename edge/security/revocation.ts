// Edges that belong to the fleet no more though their certificates have not ended: a list that the root has signed. Takes
// and gives JSON with the signed list; knows no transport.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { createPublicKey, type KeyObject } from 'node:crypto';
import { decode, encode } from 'cborg';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { openMessage, signMessage } from '../../manifest/cose.js';
import { isName, type EdgeCertificate } from './certificate.js';
import { keyText, parseKeyText } from './enrolment.js';
import { readPrivateFile, writePrivateFile } from './private-file.js';

const CONTEXT = Buffer.from('thingspire revoked edges');
const FILE = 'revoked.json';

/** By name: certificates issued until then (milliseconds since 1970) count no more. */
export type Revoked = ReadonlyMap<string, number>;

const fail = (message: string, file: string): never => {
  throw new DiagnosticError('W912', message, { file });
};

/** @throws DiagnosticError W912, W813 and W815 for what is no such list */
export function parseRevoked(json: string, file: string): { readonly root: string; readonly revoked: Revoked } {
  let value: { readonly root?: unknown; readonly revoked?: unknown } | null;
  try {
    value = JSON.parse(json) as typeof value;
  } catch {
    return fail('not a list of revoked edges', file);
  }
  const { root, revoked } = value ?? {};
  if (typeof root !== 'string' || typeof revoked !== 'string') return fail('not a list of revoked edges', file);
  const payload = openMessage(Buffer.from(revoked, 'base64url'), file, parseKeyText(root), CONTEXT);
  const list: unknown = decode(payload, { useMaps: true, allowIndefinite: false });
  const entries = list instanceof Map ? [...(list as Map<unknown, unknown>)] : [];
  if (!(list instanceof Map) || !entries.every(([name, time]) => isName(String(name)) && Number.isSafeInteger(time)))
    return fail('not a list of revoked edges', file);
  return { root, revoked: list as Map<string, number> };
}

/** The list with one more edge. @param before the list so far; null: there is none @throws DiagnosticError W912 */
export function revoke(name: string, root: KeyObject, before: string | null, now = Date.now()): string {
  if (!isName(name)) return fail(`"${name}": lower-case letters, digits and hyphens`, name);
  const key = keyText(createPublicKey(root));
  const old = before === null ? null : parseRevoked(before, 'list');
  if (old !== null && old.root !== key) return fail('the list of another fleet', 'list');
  const list = new Map([...(old?.revoked ?? []), [name, now]]);
  const revoked = Buffer.from(signMessage(encode(list), root, CONTEXT)).toString('base64url');
  return `${JSON.stringify({ root: key, revoked })}\n`;
}

/**
 * Keeps a list in an edge's folder.
 * @param root public key of the edge's fleet
 * @throws DiagnosticError W912 if it is of another fleet, or says less than the one that is there
 */
export function installRevoked(folder: string, root: string, json: string, file: string): Revoked {
  const fresh = parseRevoked(json, file);
  if (fresh.root !== root) fail('the list of another fleet', file);
  const old = readPrivateFile(join(folder, FILE));
  const known = old === null ? new Map<string, number>() : parseRevoked(old.toString('utf8'), FILE).revoked;
  if ([...known].some(([name, time]) => (fresh.revoked.get(name) ?? 0) < time))
    fail('older than the list that is here', file);
  writePrivateFile(join(folder, FILE), json);
  return fresh.revoked;
}

/** How often the file is looked at, in milliseconds. */
const LOOK_MS = 1_000;

/** The list of a running edge, as the file is now. */
export class Revocations {
  private revoked: Revoked = new Map();
  private stamp = '';
  private looked = -Infinity;

  /** @throws DiagnosticError as parseRevoked, W913 */
  constructor(
    private readonly folder: string,
    private readonly root: string,
  ) {
    this.refresh();
  }

  has({ edge, issued }: Pick<EdgeCertificate, 'edge' | 'issued'>): boolean {
    if (performance.now() - this.looked > LOOK_MS) {
      try {
        this.refresh();
      } catch {
        // A broken file: what was read before counts.
      }
    }
    const until = this.revoked.get(edge);
    return until !== undefined && issued <= until;
  }

  private refresh(): void {
    this.looked = performance.now();
    const path = join(this.folder, FILE);
    const stat = statSync(path, { throwIfNoEntry: false });
    const stamp = stat === undefined ? '' : `${stat.ino} ${stat.mtimeMs} ${stat.size}`;
    if (stamp === this.stamp) return;
    const bytes = readPrivateFile(path);
    const list = bytes === null ? null : parseRevoked(bytes.toString('utf8'), path);
    if (list !== null && list.root !== this.root) fail('the list of another fleet', path);
    this.revoked = list?.revoked ?? new Map();
    this.stamp = stamp;
  }
}

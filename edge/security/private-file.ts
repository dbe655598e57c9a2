// Files that only their owner may read: written whole, refused when others can read them. Takes paths; knows no formats.
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { DiagnosticError } from '../../compiler/diagnostics.js';

const OWNER_ONLY = 0o600;
const OWNER_ONLY_FOLDER = 0o700;
/** Permission bits of group and others. */
const OTHERS = 0o077;
/** POSIX permissions mean nothing there; what a file inherits from its folder does. */
const HAS_MODES = process.platform !== 'win32';

/**
 * Bytes of a secret; null if there is no such file.
 * @throws DiagnosticError W913 if group or others have any access to it, W601 if it cannot be read
 */
export function readPrivateFile(path: string): Buffer | null {
  if (!existsSync(path)) return null;
  try {
    const { mode } = statSync(path);
    if (HAS_MODES && (mode & OTHERS) !== 0)
      throw new DiagnosticError('W913', `mode ${(mode & 0o777).toString(8)}: chmod 600`, { file: path });
    return readFileSync(path);
  } catch (error) {
    if (error instanceof DiagnosticError) throw error;
    throw new DiagnosticError('W601', (error as Error).message, { file: path });
  }
}

/** The same where there must be one. @throws DiagnosticError W601 if there is none, W913 */
export function readSecret(path: string): Buffer {
  const bytes = readPrivateFile(path);
  if (bytes === null) throw new DiagnosticError('W601', 'no such file or folder', { file: path });
  return bytes;
}

/** Writes a secret: at every moment the file is the old one or the new one, and never readable by others. */
export function writePrivateFile(path: string, content: string | Uint8Array): void {
  const fresh = `${path}.${process.pid}.new`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: OWNER_ONLY_FOLDER });
    rmSync(fresh, { force: true });
    writeFileSync(fresh, content, { mode: OWNER_ONLY, flag: 'wx' });
    // The mode above goes through the process's mask; this does not.
    chmodSync(fresh, OWNER_ONLY);
    renameSync(fresh, path);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw new DiagnosticError('W602', (error as Error).message, { file: path });
  }
}

// Takes nothing; gives the folder with Monocypher's C source, the cryptography of the module manager. It comes from a
// package by cargo's own client and is checked file by file; it never becomes part of the repository. Knows no compiler.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { basename, join } from 'node:path';

const PACKAGE = 'monocypher-sys';
const VERSION = '4.0.2';

/** Files we take, below `Monocypher/src` in the package, with the SHA-256 that release has. */
const FILES: Readonly<Record<string, string>> = {
  'monocypher.c': '02174117935699d418443c75a558a287deb06ef8cf7c1adced61d9047d2f323d',
  'monocypher.h': 'fcaf6ed771358bb4f40fba016f6518ae86ec02b1b877d2cc35ad92d3a26fd7b3',
  'optional/monocypher-ed25519.c': '97d581639dfa72be08a6d57deb7d79b736be001cb416819cab196d22559d242b',
  'optional/monocypher-ed25519.h': '3a3035181f991a158d0e1c7567258f0bae8ba0f1f23c5512b4a1db1b3c9730ce',
};

/** C files to compile, in the folder that `monocypherSource` gives. */
export const MONOCYPHER_SOURCES = ['monocypher.c', 'monocypher-ed25519.c'] as const;

/** What to do when the source cannot be had. */
export const MONOCYPHER_HINT = `install cargo, so that the package ${PACKAGE} ${VERSION} can be fetched, and build again`;

function isRight(path: string, sha256: string): boolean {
  return existsSync(path) && createHash('sha256').update(readFileSync(path)).digest('hex') === sha256;
}

function complete(folder: string): boolean {
  return Object.entries(FILES).every(([file, sha256]) => isRight(join(folder, basename(file)), sha256));
}

/** Copies the files out of an unpacked package; false if they are not what we know. */
function take(unpacked: string, folder: string): boolean {
  const source = join(unpacked, 'Monocypher/src');
  if (!Object.entries(FILES).every(([file, sha256]) => isRight(join(source, file), sha256))) return false;
  mkdirSync(folder, { recursive: true });
  for (const file of Object.keys(FILES)) copyFileSync(join(source, file), join(folder, basename(file)));
  return true;
}

/** What cargo has unpacked already, in any registry it is set up for. */
function fromRegistryCache(folder: string): boolean {
  const registry = join(process.env['CARGO_HOME'] ?? join(homedir(), '.cargo'), 'registry/src');
  if (!existsSync(registry)) return false;
  return readdirSync(registry).some((index) => take(join(registry, index, `${PACKAGE}-${VERSION}`), folder));
}

/** `cargo vendor` unpacks a package and what it depends on, and runs nothing of them. */
function byVendoring(folder: string): boolean {
  const project = mkdtempSync(join(tmpdir(), 'monocypher-'));
  try {
    const manifest = [
      '[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2018"\n[lib]\npath = "lib.rs"',
      `[dependencies]\n${PACKAGE} = "=${VERSION}"\n`,
    ].join('\n');
    writeFileSync(join(project, 'Cargo.toml'), manifest);
    writeFileSync(join(project, 'lib.rs'), '');
    const options = { cwd: project, stdio: 'ignore', timeout: 120_000 } as const;
    if (spawnSync('cargo', ['vendor', '--versioned-dirs', 'vendor'], options).status !== 0) return false;
    return take(join(project, 'vendor', `${PACKAGE}-${VERSION}`), folder);
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
}

/**
 * Folder with the source, fetched when missing.
 * @param folder where it is kept between builds
 * @returns undefined if it cannot be had
 */
export function monocypherSource(folder: string): string | undefined {
  if (complete(folder)) return folder;
  const fetched =
    fromRegistryCache(folder) ||
    // The newer command fetches this one package only.
    (spawnSync('cargo', ['info', `${PACKAGE}@${VERSION}`], { stdio: 'ignore', timeout: 120_000 }).status === 0 &&
      fromRegistryCache(folder)) ||
    byVendoring(folder);
  return fetched && complete(folder) ? folder : undefined;
}

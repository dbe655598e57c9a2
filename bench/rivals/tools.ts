// Finds and runs the outside compilers, with a cache of what they made. Takes command lines; gives files and times.
// Refuses to know what a command means.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const BENCH_FOLDER = dirname(dirname(fileURLToPath(import.meta.url)));
export const ROOT = dirname(BENCH_FOLDER);
const BUILD_FOLDER = join(ROOT, 'build', 'bench');

/** Command -> Debian package. */
const PACKAGES = {
  'clang-22': 'clang-22',
  'wasm-ld-22': 'lld-22',
  'llc-22': 'llvm-22',
  'llvm-mc-22': 'llvm-22',
  'xtensa-lx106-elf-gcc': 'gcc-xtensa-lx106',
  'xtensa-lx106-elf-ld': 'binutils-xtensa-lx106',
} as const;
/** `wasm2c` comes with the npm packages, in the version of the lock file. */
export type Tool = keyof typeof PACKAGES | 'wasm2c';

function programOf(tool: Tool): string {
  return tool === 'wasm2c' ? join(ROOT, 'node_modules', '.bin', tool) : tool;
}

/** A column cannot be made; the message says what to install. */
export class MissingTool extends Error {}

const versions = new Map<Tool, string | undefined>();

/** First line of `--version`, or undefined when the tool is not installed. */
export function toolVersion(tool: Tool): string | undefined {
  if (!versions.has(tool)) {
    const { status, stdout } = spawnSync(programOf(tool), ['--version'], { encoding: 'utf8' });
    versions.set(tool, status === 0 ? stdout.split('\n').slice(0, 3).join(' ').trim() : undefined);
  }
  return versions.get(tool);
}

/** @throws MissingTool */
export function requireTools(...tools: readonly Tool[]): void {
  const missing = tools.filter((tool) => toolVersion(tool) === undefined);
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((tool) => (tool === 'wasm2c' ? 'the npm packages' : PACKAGES[tool])))];
  throw new MissingTool(`${missing.join(', ')} not found; install ${packages.join(' ')}`);
}

export interface Command {
  readonly tool: Tool;
  readonly args: readonly string[];
  /** The command is part of what "compile time" means (compiling, assembling), not of the bench's own plumbing. */
  readonly timed?: boolean;
}

export interface Recipe {
  /** Folder below build/bench that belongs to this recipe alone; commands run in it. */
  readonly folder: string;
  /** Files the result depends on, absolute. */
  readonly inputs: readonly string[];
  /** Files to put into the folder first. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  readonly commands: readonly Command[];
}

export interface Made {
  readonly folder: string;
  /** CPU time of the timed commands and their children; a busy machine does not disturb it as it does wall time. */
  readonly milliseconds: number;
}

/** Runs the recipe unless the same one has been run on the same inputs by the same tools. @throws MissingTool, Error */
export function make(recipe: Recipe): Made {
  requireTools(...recipe.commands.map(({ tool }) => tool));
  const hash = createHash('sha256').update(JSON.stringify(recipe.commands));
  for (const tool of new Set(recipe.commands.map(({ tool }) => tool))) hash.update(toolVersion(tool) ?? '');
  for (const input of recipe.inputs) hash.update(readFileSync(input));
  for (const [name, content] of Object.entries(recipe.files ?? {})) hash.update(name).update(content);
  const key = hash.digest('hex');
  const folder = join(BUILD_FOLDER, recipe.folder);
  const stamp = join(folder, 'made.json');
  if (existsSync(stamp)) {
    const made = JSON.parse(readFileSync(stamp, 'utf8')) as { key: string; milliseconds: number };
    if (made.key === key) return { folder, milliseconds: made.milliseconds };
  }
  // Made beside and renamed at the end: another run in the same tree never sees half a result.
  const work = `${folder}.${process.pid}`;
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  try {
    for (const [name, content] of Object.entries(recipe.files ?? {})) writeFileSync(join(work, name), content);
    let milliseconds = 0;
    for (const { tool, args, timed } of recipe.commands) {
      const cpu = execute(tool, args, work);
      if (timed === true) milliseconds += cpu;
    }
    writeFileSync(join(work, 'made.json'), JSON.stringify({ key, milliseconds }));
    rmSync(folder, { recursive: true, force: true });
    renameSync(work, folder);
    return { folder, milliseconds };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Runs the tool below a shell that reports the CPU time of its children. @returns it in milliseconds */
function execute(tool: Tool, args: readonly string[], folder: string): number {
  const script = '"$0" "$@" >/dev/null; status=$?; times; exit $status';
  try {
    const output = execFileSync('sh', ['-c', script, programOf(tool), ...args], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      encoding: 'utf8',
      maxBuffer: 1 << 26,
    });
    // Second line: user and system time of the children, each as 0m0.00s.
    const times = [...(output.split('\n')[1] ?? '').matchAll(/(\d+)m([\d.]+)s/g)];
    return times.reduce((sum, [, minutes, seconds]) => sum + 60_000 * Number(minutes) + 1000 * Number(seconds), 0);
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    throw new Error(`${tool} ${args.join(' ')}\n${stderr ?? String(error)}`, { cause: error });
  }
}

// Where the C sources of the bench lie, and the number each must compute: the checksum of the same source run on the host.
// Knows no chip.
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchProgram } from '../programs.js';
import { BENCH_FOLDER, MissingTool, make, toolVersion } from './tools.js';

const PROGRAM_FOLDER = join(BENCH_FOLDER, 'programs');
export const INCLUDE = join(BENCH_FOLDER, 'include');

export function sourceOf(program: BenchProgram): string {
  return join(PROGRAM_FOLDER, `${program.name}.c`);
}

/** Source and headers of a program. */
export function includeInputs(program: BenchProgram): readonly string[] {
  const shared = readdirSync(PROGRAM_FOLDER).filter((name) => name.endsWith('.h'));
  return [sourceOf(program), join(INCLUDE, 'bench.h'), ...shared.map((name) => join(PROGRAM_FOLDER, name))];
}

/** The checksum of `run(n)` on this computer. @throws MissingTool without a host compiler */
export function expectedChecksum(program: BenchProgram): number {
  if (toolVersion('clang-22') === undefined) throw new MissingTool('clang-22 not found; install clang-22');
  const main = `#include <stdio.h>\nunsigned run(unsigned);\nint main(void) { printf("%u", run(${program.n}u)); }\n`;
  const { folder } = make({
    folder: `${program.name}/host`,
    inputs: includeInputs(program),
    files: { 'main.c': main },
    commands: [
      {
        tool: 'clang-22',
        args: ['-O1', '-ffp-contract=off', `-I${INCLUDE}`, sourceOf(program), 'main.c', '-o', 'program'],
      },
    ],
  });
  return Number(execFileSync(join(folder, 'program'), { encoding: 'utf8' }));
}

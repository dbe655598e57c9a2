// Applies mutations to compiled programs and asks the verifier about each. Takes programs, gives counts by kind.
import { BOARDS } from '../../compiler/abi/boards.js';
import type { CompileOptions } from '../../backend-xtensa/compile-module.js';
import { buildImage } from '../../linker/build.js';
import { writeElf } from '../../linker/elf-output.js';
import { readElf } from '../../verifier/elf.js';
import { Image } from '../../verifier/image.js';
import { verifyImage, type Violation } from '../../verifier/verify.js';
import { mutated, mutationsOf, type Mutation, type MutationKind } from './mutations.js';

export interface MutationVerdict {
  readonly mutation: Mutation;
  /** First violation; null: still proved. */
  readonly violation: Violation | null;
}

export interface MutationCounts {
  readonly verdicts: readonly MutationVerdict[];
  readonly byKind: ReadonlyMap<MutationKind, { rejected: number; accepted: number }>;
  readonly rejected: number;
}

/** Runtime functions that no module may reach. */
const UNPUBLISHED = ['rt_unwind_target', 'rt_invoke', 'rt_enter', 'rt_start', 'rt_vectors', 'rt_run_mailbox'];

export interface MutatedProgram {
  readonly elf: Uint8Array;
  readonly image: Image;
}

export function buildProgram(wasm: Uint8Array, compile: CompileOptions): MutatedProgram {
  const board = BOARDS.get('esp32-large') ?? BOARDS.get('esp32')!;
  const { linked } = buildImage([{ bytes: wasm, file: 'program.wasm', name: 'app' }], { board, compile });
  const elf = writeElf(linked);
  return { elf, image: new Image(readElf(elf, 'program.elf'), 'program.elf') };
}

/** @param every looks at each `every`th mutation only */
export function runMutations({ elf, image }: MutatedProgram, checkReturns: boolean, every = 1): MutationCounts {
  const clean = verifyImage(image, { checkReturns });
  const fault = clean.functions.find(({ violations }) => violations.length > 0);
  if (!clean.ok)
    throw new Error(`the program itself is not proved: ${clean.faults[0] ?? fault?.violations[0]?.reason}`);
  const { symbols } = readElf(elf, 'program.elf');
  const outside = UNPUBLISHED.flatMap((name) => symbols.filter((s) => s.name === name).map(({ value }) => value));
  const verdicts: MutationVerdict[] = [];
  const byKind = new Map<MutationKind, { rejected: number; accepted: number }>();
  mutationsOf(image, outside).forEach((mutation, i) => {
    if (i % every !== 0) return;
    const verdict = mutated(image, mutation, () => verifyImage(image, { checkReturns }));
    const violation = verdict.functions.flatMap((f) => f.violations)[0] ?? null;
    const count = byKind.get(mutation.kind) ?? { rejected: 0, accepted: 0 };
    if (violation === null) count.accepted++;
    else count.rejected++;
    byKind.set(mutation.kind, count);
    verdicts.push({ mutation, violation });
  });
  return { verdicts, byKind, rejected: verdicts.filter(({ violation }) => violation !== null).length };
}

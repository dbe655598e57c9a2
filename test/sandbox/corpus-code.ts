// Verifies the machine code of modules that npm packages ship, each linked with what it imports. Gives counts; runs no code.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CompileOptions } from '../../backend-xtensa/compile-module.js';
import { verifyElf } from '../../verifier/verify.js';
import { supportBytes } from '../corpus/node-session.js';
import { CORPUS } from '../corpus/programs.js';
import { LinkWorld } from './link-world.js';
import { addVerdict, type CodeCounts } from './spec-code.js';

const NODE_MODULES = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'node_modules');

export function verifyCorpus(compile: CompileOptions, counts: CodeCounts): void {
  for (const { name, file, support } of CORPUS) {
    const world = new LinkWorld(compile);
    support.forEach((module, i) => world.alias(module.importName, world.load(supportBytes(module), `support${i}`)));
    world.load(new Uint8Array(readFileSync(join(NODE_MODULES, file))), 'main');
    addVerdict(verifyElf(world.elf(), name, { checkReturns: compile.cfi === 'full' }), name, 1, counts);
  }
}

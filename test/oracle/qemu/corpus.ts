// The corpus as subjects: what each driver does with its module on Node's engine, recorded so that it can be repeated
// without a host. Takes nothing; gives modules and steps. Knows neither machine.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { nodeSession, supportBytes } from '../../corpus/node-session.js';
import { CORPUS } from '../../corpus/programs.js';
import type { CorpusProgram, Session } from '../../corpus/session.js';
import type { Subject, SubjectStep } from './programs.js';

const MODULES = fileURLToPath(new URL('../../../node_modules/', import.meta.url));

export interface CorpusSubject {
  readonly name: string;
  /** Support modules first, the program last. */
  readonly subjects: readonly Subject[];
}

export function corpusSubjects(): CorpusSubject[] {
  return CORPUS.map((program) => ({ name: program.name, subjects: subjectsOf(program) }));
}

function subjectsOf(program: CorpusProgram): Subject[] {
  const bytes = new Uint8Array(readFileSync(`${MODULES}${program.file}`));
  const node = nodeSession(program, bytes);
  const steps: SubjectStep[] = [];
  program.run(recorder(node.session, steps), (name) => recorder(node.support(name), []));
  const support = program.support.map((module) => {
    return { importedAs: module.importName, bytes: supportBytes(module), steps: [], globals: [] };
  });
  return [...support, { bytes, steps, globals: [] }];
}

/** All corpus arguments are integers: the bits of a number are its value. */
function recorder(session: Session, steps: SubjectStep[]): Session {
  return {
    ...session,
    call(name, ...args) {
      steps.push({ name, args: args.map(BigInt) });
      return session.call(name, ...args);
    },
    write(at, bytes) {
      steps.push({ at, bytes: bytes.slice() });
      session.write(at, bytes);
    },
  };
}

// Verifies the machine code of every module of a WebAssembly test suite. Takes scripts, gives counts; runs no code.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { CompileOptions } from '../../backend-xtensa/compile-module.js';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { verifyElf, type Verdict } from '../../verifier/verify.js';
import type { Executor, Instance, Outcome } from '../spec/executor.js';
import { spectestModule } from '../spec/executors/spectest.js';
import { ScriptRunner } from '../spec/runner.js';
import type { Value } from '../spec/values.js';
import { LinkWorld, type WorldModule } from './link-world.js';

/** An executor that only compiles and links. Verdicts of a script run on it mean nothing. */
class LinkingExecutor implements Executor {
  readonly name = 'link';
  world: LinkWorld;
  modules = 0;

  constructor(private readonly compile: CompileOptions) {
    this.world = new LinkWorld(compile);
  }
  reset(): void {
    this.world = new LinkWorld(this.compile);
    this.modules = 0;
    this.register('spectest', this.instantiate(spectestModule()));
  }
  instantiate(bytes: Uint8Array): Instance {
    return this.world.load(bytes, `m${this.modules++}`);
  }
  register(name: string, instance: Instance): void {
    this.world.alias(name, instance as WorldModule);
  }
  invoke(): Outcome {
    return { kind: 'values', values: [] };
  }
  get(): Value {
    throw new DiagnosticError('W603', 'nothing runs');
  }
}

export interface CodeCounts {
  files: number;
  modules: number;
  functions: number;
  bytes: number;
  /** What was not proved, for people. */
  readonly failures: string[];
}

/** All .wast files below a directory. */
export function scriptsBelow(path: string): string[] {
  return readdirSync(path, { withFileTypes: true })
    .flatMap((e) =>
      e.isDirectory() ? scriptsBelow(join(path, e.name)) : e.name.endsWith('.wast') ? [join(path, e.name)] : [],
    )
    .sort();
}

export const newCodeCounts = (): CodeCounts => ({ files: 0, modules: 0, functions: 0, bytes: 0, failures: [] });

export function verifyScript(file: string, compile: CompileOptions, counts: CodeCounts): void {
  const executor = new LinkingExecutor(compile);
  new ScriptRunner(executor).run(readFileSync(file, 'utf8'));
  const verdict = verifyElf(executor.world.elf(), file, { checkReturns: compile.cfi === 'full' });
  addVerdict(verdict, file, executor.modules, counts);
}

/** Counts what was verified of one file. */
export function addVerdict({ faults, functions }: Verdict, file: string, modules: number, counts: CodeCounts): void {
  counts.files++;
  counts.modules += modules;
  counts.functions += functions.length;
  for (const fault of faults) counts.failures.push(`${file}: ${fault}`);
  for (const { name, size, violations } of functions) {
    counts.bytes += size;
    const [first] = violations;
    if (first !== undefined)
      counts.failures.push(`${file}: ${name}: 0x${first.address.toString(16)} ${first.instruction}: ${first.reason}`);
  }
}

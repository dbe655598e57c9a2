// Thread that compiles modules for slots, so that the edge's event loop goes on. Takes one job, gives its outcome, ends.
import { parentPort, workerData } from 'node:worker_threads';
import { DiagnosticError, type DiagnosticCode } from '../../compiler/diagnostics.js';
import { compileForSlot, type CompiledSlot, type CompileJob } from './compile-job.js';

export type CompileOutcome =
  | { readonly compiled: CompiledSlot }
  | { readonly failed: { readonly code: DiagnosticCode | null; readonly message: string } };

function run(): CompileOutcome {
  try {
    return { compiled: compileForSlot(workerData as CompileJob) };
  } catch (error) {
    const code = error instanceof DiagnosticError ? error.code : null;
    return { failed: { code, message: error instanceof Error ? error.message : String(error) } };
  }
}

parentPort!.postMessage(run());

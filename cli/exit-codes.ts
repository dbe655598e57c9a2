// What the exit codes of every command mean, and which one an error gets. Pure; knows no command.
import { DiagnosticError } from '../compiler/diagnostics.js';

/** Stable: scripts rely on them. */
export const ExitCode = {
  Ok: 0,
  BadInput: 1,
  BadUsage: 2,
  Trap: 3,
  Limit: 4,
  Internal: 70,
} as const;

export function exitCodeOf(error: unknown): number {
  if (!(error instanceof DiagnosticError)) return ExitCode.Internal;
  return error.code === 'W605' ? ExitCode.BadUsage : ExitCode.BadInput;
}

// Default names of outputs. Pure; knows no command.
import { DiagnosticError } from '../compiler/diagnostics.js';

/** `dir/app.wasm` with `.o` is `app.o` in the current folder. @throws DiagnosticError W605 for standard input */
export function defaultOutput(input: string, suffix: string): string {
  if (input === '-') throw new DiagnosticError('W605', 'standard input needs -o');
  const base = input.replace(/^.*[\\/]/, '').replace(/\.(wasm|bin|o|json)$/i, '');
  return `${base}${suffix}`;
}

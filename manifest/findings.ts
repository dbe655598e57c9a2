// Collects errors and warnings about a manifest, so that all are told at once. Knows no rule.
import { DiagnosticError, DiagnosticErrors } from '../compiler/diagnostics.js';
import type { DiagnosticCode, Place } from '../compiler/diagnostics.js';

/** Where the part of a manifest at a JSON pointer stands. */
export type PlaceOf = (pointer: string) => Place;

export class Findings {
  readonly errors: DiagnosticError[] = [];
  readonly warnings: DiagnosticError[] = [];

  constructor(private readonly placeOf: PlaceOf) {}

  error(code: DiagnosticCode, pointer: string, message: string): void {
    this.errors.push(new DiagnosticError(code, message, this.placeOf(pointer)));
  }

  warning(code: DiagnosticCode, pointer: string, message: string): void {
    this.warnings.push(new DiagnosticError(code, message, this.placeOf(pointer)));
  }

  /** @throws DiagnosticErrors if there are errors */
  raise(): void {
    raise(this.errors);
  }
}

/** Throws all of them as one, if there are any. */
export function raise(faults: readonly DiagnosticError[]): void {
  const [first, ...others] = faults;
  if (first !== undefined) throw others.length === 0 ? first : new DiagnosticErrors([first, ...others]);
}

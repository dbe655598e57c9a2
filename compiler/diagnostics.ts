// The three kinds of failure: numbered diagnostics for the user's input, named implementation limits (also numbered),
// and InternalError for our own bugs. Knows nothing of the stages that raise them.

/** Where in the input a diagnostic points. */
export interface Place {
  readonly file?: string;
  /** e.g. `code`, `type`, `.text` */
  readonly section?: string;
  readonly func?: { readonly index: number; readonly name?: string };
  /** Byte offset in the file. */
  readonly offset?: number;
  /** In text files, from 1. */
  readonly line?: number;
  readonly column?: number;
  /** JSON pointer (RFC 6901) in JSON files. */
  readonly pointer?: string;
}

/**
 * Stable numbers, kept as data; a number is never reused. The text here is the class of fault, the message says the rest.
 * 1xx malformed, 2xx invalid, 3xx unsupported, 4xx linking and layout, 5xx limits, 6xx files and arguments, 7xx images
 * and objects, 8xx manifests, packages and reports of the device OS, 9xx fleet (91x its security).
 */
export const DIAGNOSTICS = {
  W101: 'malformed module',
  W102: 'unexpected end of input',
  W103: 'malformed LEB128 integer',
  W104: 'malformed UTF-8 name',
  W105: 'malformed section',
  W106: 'unknown opcode',
  W107: 'not a WebAssembly module',
  W201: 'type mismatch',
  W202: 'unknown index',
  W203: 'invalid constant expression',
  W204: 'invalid alignment',
  W205: 'invalid limits',
  W206: 'duplicate export name',
  W207: 'invalid module',
  W301: 'unsupported feature',
  W401: 'unresolved import',
  W402: 'incompatible import',
  W403: 'image does not fit',
  W404: 'duplicate symbol',
  W405: 'relocation out of range',
  W406: 'no shadow stack',
  W501: 'implementation limit',
  W601: 'cannot read file',
  W602: 'cannot write file',
  W603: 'unknown export',
  W604: 'wrong arguments',
  W605: 'bad option',
  W606: 'missing tool',
  W701: 'malformed ELF file',
  W702: 'malformed flash image',
  W801: 'malformed JSON',
  W802: 'invalid manifest',
  W803: 'handler or import does not fit',
  W804: 'duplicate name',
  W805: 'requirement not met',
  W806: 'caller',
  W807: 'deadline',
  W808: 'stack too small',
  W809: 'memory budget',
  W810: 'invalid type',
  W811: 'limit of the device OS',
  W812: 'slot',
  W813: 'key',
  W814: 'malformed manifest section',
  W815: 'malformed package',
  W816: 'malformed report',
  W901: 'placement',
  W902: 'edge',
  W903: 'state that cannot move',
  W904: 'device',
  W905: 'move',
  W910: 'not secure',
  W911: 'token',
  W912: 'enrolment',
  W913: 'file that others can read',
} as const;

export type DiagnosticCode = keyof typeof DIAGNOSTICS;

/** A fault in what the user gave us. Exit code 1 (2 for W605). */
export class DiagnosticError extends Error {
  constructor(
    readonly code: DiagnosticCode,
    message: string,
    readonly place: Place = {},
  ) {
    super(message);
    this.name = 'DiagnosticError';
  }
  /** The same fault with more known about its place; what was known already wins. */
  at(place: Place): DiagnosticError {
    const error = new DiagnosticError(this.code, this.message, { ...place, ...this.place });
    if (this.stack !== undefined) error.stack = this.stack;
    return error;
  }
}

/** Several faults of one input, found in one go; taken as one it is the first. */
export class DiagnosticErrors extends DiagnosticError {
  constructor(readonly all: readonly [DiagnosticError, ...DiagnosticError[]]) {
    super(all[0].code, all[0].message, all[0].place);
  }
}

/** A bug of ours. Exit code 70. */
export class InternalError extends Error {
  constructor(message: string) {
    super(`BUG: ${message}`);
    this.name = 'InternalError';
  }
}

/** One line: `error W201: type mismatch: expected i32 (app.wasm, code section, function 3 "add", offset 0x4f)`. */
export function formatDiagnostic(error: DiagnosticError, severity: 'error' | 'warning' = 'error'): string {
  const { file, section, func, offset, line, column, pointer } = error.place;
  const where: string[] = [];
  if (file !== undefined) where.push(line === undefined ? file : `${file}:${line}:${column ?? 1}`);
  if (pointer !== undefined && pointer !== '') where.push(pointer);
  if (section !== undefined) where.push(`${section} section`);
  if (func !== undefined) where.push(`function ${func.index}${func.name !== undefined ? ` "${func.name}"` : ''}`);
  if (offset !== undefined) where.push(`offset 0x${offset.toString(16)}`);
  const suffix = where.length > 0 ? ` (${where.join(', ')})` : '';
  return `${severity} ${error.code}: ${DIAGNOSTICS[error.code]}: ${error.message}${suffix}`;
}

// How the management interface says no: one form for every fault. Takes errors, gives status and body.
import type { FastifyInstance } from 'fastify';
import { DiagnosticError, DiagnosticErrors, formatDiagnostic } from '../../compiler/diagnostics.js';
import { MigrationRefused } from '../fleet/migrate.js';

/** A request that cannot be met, for a reason that the client can understand. */
export class HttpError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export interface ErrorBody {
  readonly status: number;
  readonly message: string;
  /** Numbered diagnostics, one line each. */
  readonly errors?: readonly string[];
}

export function errorBody(error: unknown): ErrorBody {
  if (error instanceof DiagnosticError) {
    const all = error instanceof DiagnosticErrors ? error.all : [error];
    return { status: 422, message: error.message, errors: all.map((entry) => formatDiagnostic(entry)) };
  }
  if (error instanceof HttpError) return { status: error.status, message: error.message };
  if (error instanceof MigrationRefused) return { status: 409, message: error.message };
  const { statusCode, message } = error as { statusCode?: number; message?: string };
  if (statusCode !== undefined && statusCode < 500) return { status: statusCode, message: message ?? '' };
  return { status: 500, message: 'internal error' };
}

export function addErrorForm(server: FastifyInstance, report: (error: unknown) => void): void {
  server.setErrorHandler((error, _request, reply) => {
    const body = errorBody(error);
    if (body.status === 500) report(error);
    void reply.status(body.status).send(body);
  });
}

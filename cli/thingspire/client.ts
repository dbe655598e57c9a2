// The way from the command line to an edge's HTTP interface. Takes URLs and bodies, gives answers; faults are diagnostics.
import { DiagnosticError } from '../../compiler/diagnostics.js';
import type { Argv } from 'yargs';

export const DEFAULT_EDGE = 'http://127.0.0.1:8080';

export const edgeOption = <T>(yargs: Argv<T>) =>
  yargs.option('edge', {
    describe: 'base URL of the edge',
    type: 'string',
    default: process.env['THINGSPIRE_EDGE'] ?? DEFAULT_EDGE,
    defaultDescription: `THINGSPIRE_EDGE, else ${DEFAULT_EDGE}`,
    requiresArg: true,
  });

export interface EdgeAnswer {
  readonly status: number;
  /** Content type without parameters. */
  readonly type: string;
  readonly body: Buffer;
}

/** @throws DiagnosticError W902 if the edge does not answer, W605 for a URL that is none */
export async function askEdge(
  edge: string,
  path: string,
  options: { readonly method?: string; readonly body?: Uint8Array; readonly type?: string } = {},
): Promise<EdgeAnswer> {
  let url: URL;
  try {
    url = new URL(path, edge);
  } catch {
    throw new DiagnosticError('W605', `"${edge}" is not a URL`);
  }
  try {
    const { method = 'GET', body, type } = options;
    const response = await fetch(url, {
      method,
      ...(body === undefined ? {} : { body: body as BodyInit }),
      ...(type === undefined ? {} : { headers: { 'content-type': type } }),
    });
    const content = (response.headers.get('content-type') ?? '').split(';')[0]!;
    return { status: response.status, type: content, body: Buffer.from(await response.arrayBuffer()) };
  } catch (error) {
    const { cause, message } = error as Error;
    throw new DiagnosticError(
      'W902',
      `no answer from ${url.origin}: ${(cause as Error | undefined)?.message ?? message}`,
    );
  }
}

/** What an error answer says, in one line. */
export function errorText({ status, type, body }: EdgeAnswer): string {
  if (type !== 'application/json') return `HTTP ${status}`;
  const value = JSON.parse(body.toString('utf8')) as { message?: string; code?: string; errors?: string[] };
  if (value.errors !== undefined) return value.errors.join('\n');
  return `${value.code ?? status} ${value.message ?? ''}`.trim();
}

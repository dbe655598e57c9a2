// The way from the command line to an edge's HTTP interface. Takes URLs and bodies, gives answers and streams; faults are
// diagnostics. Knows no command.
import type { Argv } from 'yargs';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { DIAGNOSTICS, DiagnosticError, DiagnosticErrors, type DiagnosticCode } from '../../compiler/diagnostics.js';
import { trustingFetch, trustOptions, type TrustArgs } from './connection.js';

export const DEFAULT_URL = 'http://127.0.0.1:8080';

/** How to reach the edge: options of every command that asks one. */
export interface EdgeArgs extends TrustArgs {
  readonly url: string;
  readonly token: string | undefined;
}

export const edgeOptions = <T>(yargs: Argv<T>) =>
  trustOptions(yargs)
    .option('url', {
      describe: 'base URL of the edge',
      type: 'string',
      default: process.env['THINGSPIRE_URL'] ?? DEFAULT_URL,
      defaultDescription: `THINGSPIRE_URL, else ${DEFAULT_URL}`,
      requiresArg: true,
    })
    .option('token', {
      describe: 'who you are, for an edge that asks (better in THINGSPIRE_TOKEN)',
      type: 'string',
      default: process.env['THINGSPIRE_TOKEN'],
      defaultDescription: 'THINGSPIRE_TOKEN',
      requiresArg: true,
    });

export interface EdgeRequest {
  readonly method?: string;
  readonly body?: Uint8Array;
  /** Content type of the body. */
  readonly type?: string;
  readonly accept?: string;
  readonly signal?: AbortSignal;
}

export interface EdgeAnswer {
  readonly status: number;
  /** Content type without parameters. */
  readonly type: string;
  readonly body: Buffer;
}

export interface ServerEvent {
  /** Null: a plain message. */
  readonly event: string | null;
  readonly data: unknown;
}

export class EdgeClient {
  private readonly base: URL;
  private trusting: Promise<typeof globalThis.fetch> | null = null;

  /** @throws DiagnosticError W605 for a URL that is none */
  constructor(private readonly args: EdgeArgs) {
    try {
      this.base = new URL(args.url);
    } catch {
      throw new DiagnosticError('W605', `"${args.url}" is not a URL`);
    }
  }

  /** Whatever the edge answers. @throws DiagnosticError W902 if it does not */
  async ask(path: string, request: EdgeRequest = {}): Promise<EdgeAnswer> {
    const response = await this.fetch(path, request);
    return { ...head(response), body: Buffer.from(await this.reading(response.arrayBuffer())) };
  }

  /** A JSON answer. @throws DiagnosticError for every error answer */
  async json<T>(path: string, request: EdgeRequest = {}): Promise<T> {
    const answer = await this.ask(path, request);
    if (answer.status >= 400) throw answerError(answer);
    return (answer.body.length === 0 ? null : JSON.parse(answer.body.toString('utf8'))) as T;
  }

  post<T>(path: string, value: unknown): Promise<T> {
    return this.json<T>(path, jsonRequest(value));
  }

  /** Server-sent events with JSON in them, until the edge or `signal` ends them. */
  async *events(path: string, signal?: AbortSignal): AsyncGenerator<ServerEvent> {
    const request = { accept: 'text/event-stream', ...(signal === undefined ? {} : { signal }) };
    const stream = (await this.stream(path, request))
      .pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)
      .pipeThrough(new EventSourceParserStream());
    for await (const { event, data } of this.pieces(stream, signal))
      yield { event: event ?? null, data: JSON.parse(data) as unknown };
  }

  /** Lines of JSON that answer a request with a body. */
  async *lines(path: string, value: unknown): AsyncGenerator<unknown> {
    const stream = (await this.stream(path, jsonRequest(value))).pipeThrough(
      new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>,
    );
    let rest = '';
    for await (const piece of this.pieces(stream)) {
      const lines = (rest + piece).split('\n');
      rest = lines.pop()!;
      for (const line of lines) if (line !== '') yield JSON.parse(line) as unknown;
    }
  }

  private async stream(path: string, request: EdgeRequest): Promise<ReadableStream<Uint8Array>> {
    const response = await this.fetch(path, request);
    if (response.ok) return response.body!;
    throw answerError({ ...head(response), body: Buffer.from(await this.reading(response.arrayBuffer())) });
  }

  private async *pieces<T>(stream: ReadableStream<T>, signal?: AbortSignal): AsyncGenerator<T> {
    try {
      for await (const piece of stream as unknown as AsyncIterable<T>) yield piece;
    } catch (error) {
      if (signal?.aborted !== true) throw this.unreachable(error);
    }
  }

  private async reading<T>(body: Promise<T>): Promise<T> {
    try {
      return await body;
    } catch (error) {
      throw this.unreachable(error);
    }
  }

  private async fetch(path: string, { method = 'GET', body, type, accept, signal }: EdgeRequest): Promise<Response> {
    const { token } = this.args;
    const fetch = await (this.trusting ??= trustingFetch(this.args));
    try {
      return await fetch(new URL(path, this.base), {
        method,
        headers: {
          ...(type === undefined ? {} : { 'content-type': type }),
          ...(accept === undefined ? {} : { accept }),
          ...(token === undefined || token === '' ? {} : { authorization: `Bearer ${token}` }),
        },
        ...(body === undefined ? {} : { body: body as BodyInit }),
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      throw this.unreachable(error);
    }
  }

  private unreachable(error: unknown): DiagnosticError {
    const { cause, message } = error as Error;
    const why = (cause as Error | undefined)?.message ?? message;
    return new DiagnosticError('W902', `no answer from ${this.base.origin}: ${why}`);
  }
}

const jsonRequest = (value: unknown): EdgeRequest => ({
  method: 'POST',
  body: Buffer.from(JSON.stringify(value)),
  type: 'application/json',
});

function head(response: Response): { status: number; type: string } {
  return { status: response.status, type: (response.headers.get('content-type') ?? '').split(';')[0]! };
}

interface ErrorValue {
  readonly message?: string;
  /** CoAP code, of services. */
  readonly code?: string;
  /** Numbered diagnostics. */
  readonly errors?: readonly string[];
}

/** What an error answer says, in one line. */
export function errorText({ status, type, body }: EdgeAnswer): string {
  if (type !== 'application/json') return `HTTP ${status}`;
  const { code, message } = JSON.parse(body.toString('utf8')) as ErrorValue;
  return `${code ?? status} ${message ?? ''}`.trim();
}

/** An error answer as what it is: the diagnostics of the edge, else W902. */
export function answerError(answer: EdgeAnswer): DiagnosticError {
  const { errors } = answer.type === 'application/json' ? (JSON.parse(answer.body.toString()) as ErrorValue) : {};
  const [first, ...others] = (errors ?? []).map(diagnosticOf);
  if (first !== undefined) return others.length === 0 ? first : new DiagnosticErrors([first, ...others]);
  if (answer.status === 401)
    return new DiagnosticError('W911', `${errorText(answer)}: set THINGSPIRE_TOKEN or --token`);
  if (answer.status === 403) return new DiagnosticError('W911', errorText(answer));
  return new DiagnosticError('W902', errorText(answer));
}

/** `error W201: type mismatch: expected i32 ...` */
function diagnosticOf(line: string): DiagnosticError {
  const [, code, text] = /^(?:error )?(W\d{3}): (.*)$/s.exec(line) ?? [];
  if (code === undefined || !(code in DIAGNOSTICS)) return new DiagnosticError('W902', line);
  const known = code as DiagnosticCode;
  const what = `${DIAGNOSTICS[known]}: `;
  return new DiagnosticError(known, text!.startsWith(what) ? text!.slice(what.length) : text!);
}

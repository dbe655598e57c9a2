// `thingspire call`: one request to a service of a thing, or following it. Takes method, thing and path; prints the
// payload.
import { DiagnosticError } from '../../compiler/diagnostics.js';
import type { Command } from '../commands/command.js';
import { ExitCode } from '../exit-codes.js';
import { note, print, printJson, readInput } from '../io.js';
import { answerError, EdgeClient, edgeOptions, errorText, type EdgeArgs, type EdgeRequest } from './client.js';
import { untilInterrupted } from './interrupt.js';

interface Args extends EdgeArgs {
  readonly method: string;
  readonly uri: string;
  readonly payload: string | undefined;
  readonly file: string | undefined;
  readonly observe: boolean;
  readonly count: number | undefined;
  readonly json: boolean;
}

export const callCommand: Command<Args> = {
  name: 'call',
  positionals: '<method> <uri> [payload]',
  describe: 'request a service; JSON by its contract',
  examples: [
    ['$0 call GET porch/temperature', 'the answer as JSON'],
    ['$0 call PUT porch/target \'{"celsius": 21.5}\'', 'with a payload'],
    ['$0 call GET porch/temperature --observe', 'a line now and one for each change, until Ctrl-C'],
  ],
  options: (yargs) =>
    edgeOptions(yargs)
      .positional('method', { describe: 'GET, PUT, POST or DELETE', type: 'string', demandOption: true })
      .positional('uri', { describe: 'THING/PATH', type: 'string', demandOption: true })
      .positional('payload', { describe: 'JSON', type: 'string' })
      .option('file', {
        describe: 'payload as it is, from a file (- for standard input)',
        type: 'string',
        requiresArg: true,
      })
      .option('observe', { describe: 'follow it: a line for each change', type: 'boolean', default: false })
      .option('count', {
        describe: 'with --observe: end after so many lines',
        type: 'number',
        coerce: Number,
        requiresArg: true,
      })
      .option('json', { describe: 'status, type and payload as JSON', type: 'boolean', default: false }) as never,
  run: (args) => (args.observe ? follow(args) : once(args)),
};

async function once({ method, uri, payload, file, json, ...at }: Args): Promise<number> {
  const verb = method.toUpperCase();
  if (!['GET', 'PUT', 'POST', 'DELETE'].includes(verb))
    throw new DiagnosticError('W605', `"${method}" is not GET, PUT, POST or DELETE`);
  if (payload !== undefined && file !== undefined) throw new DiagnosticError('W605', 'one payload: as JSON or --file');
  const body: EdgeRequest =
    file !== undefined
      ? { body: readInput(file), type: 'application/octet-stream' }
      : payload !== undefined
        ? { body: Buffer.from(payload), type: 'application/json' }
        : {};
  const answer = await new EdgeClient(at).ask(pathOf(uri), { method: verb, ...body });
  if (answer.status === 401) throw answerError(answer);
  const fine = answer.status < 400;
  const isJson = answer.type === 'application/json';
  const isText = isJson || answer.type.startsWith('text/');
  if (json) {
    const text = answer.body.toString(isText ? 'utf8' : 'base64');
    const { status, type } = answer;
    printJson({ status, type, payload: isJson ? (JSON.parse(text) as unknown) : text });
  } else if (!fine) note(`${errorText(answer)}\n`);
  else if (answer.body.length > 0) print(`${answer.body.toString(isText ? 'utf8' : 'hex')}\n`);
  return fine ? ExitCode.Ok : ExitCode.BadInput;
}

async function follow({ method, uri, payload, file, count, json, ...at }: Args): Promise<number> {
  if (method.toUpperCase() !== 'GET') throw new DiagnosticError('W605', '--observe: only GET can be followed');
  if (payload !== undefined || file !== undefined) throw new DiagnosticError('W605', '--observe: without a payload');
  if (count !== undefined && !(Number.isInteger(count) && count > 0))
    throw new DiagnosticError('W605', '--count: a number of lines');
  const edge = new EdgeClient(at);
  let lines = 0;
  await untilInterrupted(async (signal) => {
    for await (const { event, data } of edge.events(pathOf(uri), signal)) {
      if (json) printJson(event === null ? { time: Date.now(), payload: data } : { time: Date.now(), error: data });
      else if (event === null) print(`${JSON.stringify(data)}\n`);
      else note(`${(data as { code: string }).code} ${(data as { message: string }).message}\n`);
      if (++lines === count) return;
    }
    if (!signal.aborted) throw new DiagnosticError('W902', 'the edge has ended the stream');
  });
  return ExitCode.Ok;
}

const pathOf = (uri: string): string => `/things/${uri.replace(/^\/+/, '')}`;

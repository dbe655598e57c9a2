// `thingspire call`: one request to a service of a thing. Takes method, thing and path; prints the payload.
import { DiagnosticError } from '../../compiler/diagnostics.js';
import type { Command } from '../commands/command.js';
import { ExitCode } from '../exit-codes.js';
import { note, print, printJson, readInput } from '../io.js';
import { askEdge, edgeOption, errorText } from './client.js';

interface Args {
  readonly method: string;
  readonly uri: string;
  readonly payload: string | undefined;
  readonly file: string | undefined;
  readonly edge: string;
  readonly json: boolean;
}

export const callCommand: Command<Args> = {
  name: 'call',
  positionals: '<method> <uri> [payload]',
  describe: 'request a service; JSON by its contract',
  examples: [
    ['$0 call GET porch/temperature', 'the answer as JSON'],
    ['$0 call PUT porch/target \'{"celsius": 21.5}\'', 'with a payload'],
  ],
  options: (yargs) =>
    edgeOption(yargs)
      .positional('method', { describe: 'GET, PUT, POST or DELETE', type: 'string', demandOption: true })
      .positional('uri', { describe: 'THING/PATH', type: 'string', demandOption: true })
      .positional('payload', { describe: 'JSON', type: 'string' })
      .option('file', { describe: 'payload as it is, from a file', type: 'string', requiresArg: true })
      .option('json', { describe: 'status, type and payload as JSON', type: 'boolean', default: false }) as never,
  run: async ({ method, uri, payload, file, edge, json }) => {
    const verb = method.toUpperCase();
    if (!['GET', 'PUT', 'POST', 'DELETE'].includes(verb))
      throw new DiagnosticError('W605', `"${method}" is not GET, PUT, POST or DELETE`);
    if (payload !== undefined && file !== undefined)
      throw new DiagnosticError('W605', 'one payload: as JSON or --file');
    const body =
      file !== undefined
        ? { body: readInput(file), type: 'application/octet-stream' }
        : payload !== undefined
          ? { body: Buffer.from(payload), type: 'application/json' }
          : {};
    const answer = await askEdge(edge, `/things/${uri.replace(/^\/+/, '')}`, { method: verb, ...body });
    const fine = answer.status < 400;
    if (json) {
      const isJson = answer.type === 'application/json';
      const text = answer.body.toString(isJson || answer.type.startsWith('text/') ? 'utf8' : 'base64');
      const { status, type } = answer;
      printJson({ status, type, payload: isJson ? (JSON.parse(text) as unknown) : text });
    } else if (!fine) note(`${errorText(answer)}\n`);
    else if (answer.body.length > 0) {
      const printable = answer.type === 'application/json' || answer.type.startsWith('text/');
      print(printable ? `${answer.body.toString('utf8')}\n` : `${answer.body.toString('hex')}\n`);
    }
    return fine ? ExitCode.Ok : ExitCode.BadInput;
  },
};

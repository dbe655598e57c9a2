// `thingspire token`: who may use an edge. Takes names and roles; changes the edge's data directory, or asks a running edge.
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { ROLES } from '../../edge/security/roles.js';
import { tokenFile } from '../../edge/security/places.js';
import { parseLifetime, TokenStore, type TokenRecord } from '../../edge/security/tokens.js';
import type { Command } from '../commands/command.js';
import { ExitCode } from '../exit-codes.js';
import { note, print, printJson } from '../io.js';
import { EdgeClient, edgeOptions, type EdgeArgs } from './client.js';
import { tableText } from './table.js';

interface Args extends EdgeArgs {
  readonly action: 'add' | 'ls' | 'revoke';
  readonly name: string | undefined;
  readonly role: string;
  readonly expires: string | undefined;
  readonly data: string | undefined;
  readonly json: boolean;
}

type Shown = Omit<TokenRecord, 'hash'>;

interface Tokens {
  add(name: string, role: string, expires: string | null): Promise<{ readonly token: string } & Pick<Shown, 'role'>>;
  list(): Promise<readonly Shown[]>;
  revoke(name: string): Promise<boolean>;
}

/** In the data directory, whether or not the edge runs: how the first token is made. */
function filedTokens(data: string): Tokens {
  const store = new TokenStore(tokenFile(data));
  return {
    add: async (name, role, expires) => {
      const { token, record } = store.add(name, role, expires === null ? null : parseLifetime(expires));
      return { token, role: record.role };
    },
    list: async () => store.list(),
    revoke: async (name) => store.revoke(name),
  };
}

function servedTokens(edge: EdgeClient): Tokens {
  return {
    add: (name, role, expires) => edge.post('/api/tokens', { name, role, expires }),
    list: () => edge.json('/api/tokens'),
    revoke: async (name) => {
      const { status } = await edge.ask(`/api/tokens/${encodeURIComponent(name)}`, { method: 'DELETE' });
      if (status !== 204 && status !== 404) await edge.json('/api/tokens');
      return status === 204;
    },
  };
}

export const tokenCommand: Command<Args> = {
  name: 'token',
  positionals: '<action> [name]',
  describe: 'who may use an edge: add, ls, revoke',
  examples: [
    ['$0 token add anna --role admin --data edge-data', 'the first one: in the edge’s directory'],
    ['$0 token add dashboard --role viewer --expires 30d', 'by the running edge (you are admin there)'],
    ['$0 token revoke dashboard', 'at once; its open streams end too'],
  ],
  epilogue:
    'Roles, each with all before it: viewer sees, caller requests services as user:NAME, operator deploys, moves and ' +
    'stops modules, admin gives tokens. As long as nobody has a token an edge on 127.0.0.1 lets everybody do everything.',
  options: (yargs) =>
    edgeOptions(yargs)
      .positional('action', { choices: ['add', 'ls', 'revoke'] as const, demandOption: true })
      .positional('name', { describe: 'whose', type: 'string' })
      .option('role', { describe: 'what it allows', choices: ROLES, default: 'viewer' })
      .option('expires', { describe: 'after which time, such as 30d or 12h', type: 'string', requiresArg: true })
      .option('data', {
        describe: 'data directory of the edge, instead of asking it',
        type: 'string',
        requiresArg: true,
      })
      .option('json', { describe: 'as JSON', type: 'boolean', default: false }) as never,
  run: async ({ action, name, role, expires, data, json, ...at }) => {
    const tokens = data === undefined ? servedTokens(new EdgeClient(at)) : filedTokens(data);
    if (action === 'ls') {
      const list = await tokens.list();
      if (json) printJson(list);
      else print(tableText(['NAME', 'ROLE', 'ID', 'MADE', 'ENDS'], list.map(row)));
      return ExitCode.Ok;
    }
    if (name === undefined) throw new DiagnosticError('W605', `${action}: whose token?`);
    if (action === 'revoke') {
      if (!(await tokens.revoke(name))) throw new DiagnosticError('W911', `nobody named "${name}" has a token`);
      if (json) printJson({ name, done: 'revoke' });
      else print(`${name} has no token any more\n`);
      return ExitCode.Ok;
    }
    const { token, role: given } = await tokens.add(name, role, expires ?? null);
    if (json) printJson({ name, role: given, token });
    else {
      note(`${name} is ${given}. This is shown once:\n`);
      print(`${token}\n`);
    }
    return ExitCode.Ok;
  },
};

const day = (time: number): string => new Date(time).toISOString().slice(0, 16).replace('T', ' ');
const row = ({ name, role, id, created, expires }: Shown): string[] => [
  name,
  role,
  id,
  day(created),
  expires === null ? 'never' : day(expires),
];

// `thingspire fleet` and `thingspire enrol`: which edges belong to a fleet. Takes keys and names; changes files only.
import { createPublicKey } from 'node:crypto';
import { existsSync } from 'node:fs';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import {
  edgeKey,
  enrol,
  fleetOf,
  install,
  keyText,
  makeRoot,
  parseKeyText,
  readRoot,
  type Enrolment,
} from '../../edge/security/enrolment.js';
import { installRevoked, revoke } from '../../edge/security/revocation.js';
import { securityFolder } from '../../edge/security/places.js';
import { parseLifetime } from '../../edge/security/tokens.js';
import type { Command } from '../commands/command.js';
import { ExitCode } from '../exit-codes.js';
import { displayName, note, Outputs, print, printJson, readInput } from '../io.js';

const DEFAULT_ROOT = 'fleet-root.pem';

interface FleetArgs {
  readonly action: 'init';
  readonly root: string;
  readonly json: boolean;
}

export const fleetCommand: Command<FleetArgs> = {
  name: 'fleet',
  positionals: '<action>',
  describe: 'init: make the root key that says which edges belong to a fleet',
  examples: [['$0 fleet init', `${DEFAULT_ROOT}; keep it off the edges`]],
  options: (yargs) =>
    yargs
      .positional('action', { choices: ['init'] as const, demandOption: true })
      .option('root', { describe: 'file of the key', type: 'string', default: DEFAULT_ROOT, requiresArg: true })
      .option('json', { describe: 'as JSON', type: 'boolean', default: false }) as never,
  run: ({ root, json }) => {
    const key = keyText(makeRoot(root));
    if (json) printJson({ root, key });
    else {
      note(`${root} (keep it secret, and off the edges). Its public key:\n`);
      print(`${key}\n`);
    }
    return ExitCode.Ok;
  },
};

interface EnrolArgs {
  readonly action: 'key' | 'edge' | 'install' | 'revoke';
  readonly subject: string | undefined;
  readonly data: string | undefined;
  readonly key: string | undefined;
  readonly root: string;
  readonly expires: string;
  readonly output: string | undefined;
  readonly force: boolean;
  readonly json: boolean;
}

export const enrolCommand: Command<EnrolArgs> = {
  name: 'enrol',
  positionals: '<action> [subject]',
  describe: 'make an edge a member of a fleet, or no more: key, edge, install, revoke',
  examples: [
    ['$0 enrol edge attic --data attic-data', 'all at once, where the root key and the edge’s directory are together'],
    ['$0 enrol key --data attic-data', 'on the edge: prints its public key'],
    ['$0 enrol edge attic --key KEY -o attic.json', 'where the root key is'],
    ['$0 enrol install attic.json --data attic-data', 'on the edge again'],
    ['$0 enrol revoke attic -o revoked.json', 'then "enrol install revoked.json" on all the other edges'],
  ],
  epilogue: 'Enrolled edges sign what they say to each other and believe only what enrolled edges of their fleet say.',
  options: (yargs) =>
    yargs
      .positional('action', { choices: ['key', 'edge', 'install', 'revoke'] as const, demandOption: true })
      .positional('subject', { describe: 'name of the edge; for install, the file', type: 'string' })
      .option('data', { describe: 'data directory of the edge', type: 'string', requiresArg: true })
      .option('key', {
        describe: 'public key of the edge, as "enrol key" printed it',
        type: 'string',
        requiresArg: true,
      })
      .option('root', { describe: 'the fleet’s root key', type: 'string', default: DEFAULT_ROOT, requiresArg: true })
      .option('expires', { describe: 'for how long', type: 'string', default: '1y', requiresArg: true })
      .option('output', { alias: 'o', describe: 'file for the edge', type: 'string', requiresArg: true })
      .option('force', { describe: 'leave another fleet', type: 'boolean', default: false })
      .option('json', { describe: 'as JSON', type: 'boolean', default: false }) as never,
  run: (args) => {
    if (args.action === 'key') return showKey(args);
    if (args.action === 'revoke') return revokeEdge(args);
    return args.action === 'edge' ? enrolEdge(args) : installFile(args);
  },
};

function folderOf({ data }: EnrolArgs): string {
  if (data === undefined) throw new DiagnosticError('W605', '--data: which edge’s directory?');
  return securityFolder(data);
}

function subjectOf({ subject, action }: EnrolArgs, what: string): string {
  if (subject === undefined) throw new DiagnosticError('W605', `${action}: which ${what}?`);
  return subject;
}

function showKey(args: EnrolArgs): number {
  const key = keyText(createPublicKey(edgeKey(folderOf(args))));
  if (args.json) printJson({ key });
  else print(`${key}\n`);
  return ExitCode.Ok;
}

function enrolEdge(args: EnrolArgs): number {
  const name = subjectOf(args, 'edge');
  const { data, key, output } = args;
  if ((data === undefined) === (key === undefined))
    throw new DiagnosticError('W605', 'edge: --data here, or --key of an edge that is elsewhere');
  const root = readRoot(args.root);
  const subject = key === undefined ? createPublicKey(edgeKey(folderOf(args))) : parseKeyText(key);
  const enrolment: Enrolment = enrol(name, subject, root, parseLifetime(args.expires));
  const text = `${JSON.stringify(enrolment)}\n`;
  if (data !== undefined) {
    const { expires } = install(folderOf(args), text, name, args.force);
    tell(args, { edge: name, expires });
    return ExitCode.Ok;
  }
  const outputs = new Outputs();
  outputs.add(output ?? `${name}.json`, text);
  outputs.commit();
  if (output !== '-') note(`${output ?? `${name}.json`}: for "thingspire enrol install" on ${name}\n`);
  return ExitCode.Ok;
}

/** Adds an edge to the list of those that are members no more. */
function revokeEdge(args: EnrolArgs): number {
  const { output = 'revoked.json' } = args;
  const before = existsSync(output) ? Buffer.from(readInput(output)).toString('utf8') : null;
  const outputs = new Outputs();
  outputs.add(output, revoke(subjectOf(args, 'edge'), readRoot(args.root), before));
  outputs.commit();
  note(`${output}: for "thingspire enrol install" on all other edges\n`);
  return ExitCode.Ok;
}

function installFile(args: EnrolArgs): number {
  const file = subjectOf(args, 'file');
  const text = Buffer.from(readInput(file)).toString('utf8');
  const folder = folderOf(args);
  if (!/"revoked"/.test(text)) {
    const { edge, expires } = install(folder, text, displayName(file), args.force);
    tell(args, { edge, expires });
    return ExitCode.Ok;
  }
  const root = fleetOf(folder);
  if (root === null) throw new DiagnosticError('W912', 'this edge is in no fleet', { file: displayName(file) });
  const names = [...installRevoked(folder, root, text, displayName(file)).keys()];
  if (args.json) printJson({ revoked: names });
  else print(`revoked: ${names.join(', ')}\n`);
  return ExitCode.Ok;
}

function tell({ json }: EnrolArgs, { edge, expires }: { readonly edge: string; readonly expires: number }): void {
  if (json) printJson({ edge, expires });
  else print(`${edge} is enrolled until ${new Date(expires).toISOString().slice(0, 10)}\n`);
}
